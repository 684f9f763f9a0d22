// Waiting: for a while, and for a page that somebody looks at.

/** Waits so long; throws the reason of `leave` when that is aborted first. */
export function pause(ms: number, leave: AbortSignal): Promise<void> {
  return new Promise((done, abort) => {
    if (leave.aborted) return abort(leave.reason);
    const gone = () => {
      clearTimeout(timer);
      abort(leave.reason);
    };
    const timer = setTimeout(() => {
      leave.removeEventListener('abort', gone);
      done();
    }, ms);
    leave.addEventListener('abort', gone, { once: true });
  });
}

/** Does something at once and again after each pause, but not while nobody sees the page. Ends when `leave` is aborted. */
export async function whileSeen(ms: number, leave: AbortSignal, look: () => Promise<void>): Promise<void> {
  try {
    for (;;) {
      // A look that comes to nothing says nothing new; the next one may.
      if (document.visibilityState === 'visible') await look().catch(() => {});
      await pause(ms, leave);
    }
  } catch {
    // It was left: nothing is waited for any more.
  }
}

/** `1:05`, `1:00:05`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
