// What a room code opens: an auth token, and in it the room.

export interface Entry {
  token: string;
  roomId: string;
  /** Who this page is to the room. */
  user: string;
  /** The code to hand to viewers, where this page is of somebody who may go live. */
  watchCode?: string;
}

/** The code at the end of this page's path. */
export function codeOfPage(): string {
  return decodeURIComponent(location.pathname.split('/').at(-1) ?? '');
}

/** Leads to a page of whoever has this code. */
export function goTo(page: 'studio' | 'watch', code: string): void {
  location.assign(`/${page}/${encodeURIComponent(code.trim())}`);
}

/** Exchanges a room code for a token, of `user` where that is given. Throws an Error whose message can be shown. */
export async function enter(code: string, user?: string): Promise<Entry> {
  const response = await fetch('/v2/token', { method: 'POST', body: JSON.stringify({ code, user_id: user }) });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok || typeof answer.token !== 'string') {
    throw new Error(refusal(response, code, answer.message));
  }
  const { room_id, user_id, jti } = payload(answer.token);
  return { token: answer.token, roomId: room_id, user: user_id || jti, watchCode: answer.watch_code };
}

/** Names the room in the page's title and heading, where somebody chose its id. Others have a number, which tells nobody anything. */
export function nameRoom(roomId: string): void {
  if (/^[0-9a-f]{24}$/.test(roomId)) return;
  const heading = document.querySelector('h1');
  if (heading) heading.textContent = `${roomId} · ${heading.textContent}`;
  document.title = `${roomId} · ${document.title}`;
}

function refusal(response: Response, code: string, message: unknown): string {
  switch (response.status) {
    case 404:
      return `No room has the code ${code}.`;
    case 403:
      return 'This room or this link has been switched off.';
    default:
      return `The room did not open: ${message ?? response.statusText}.`;
  }
}

function payload(token: string): { room_id: string; user_id?: string; jti: string } {
  const part = (token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/');
  return JSON.parse(atob(part));
}

export type State = 'idle' | 'live' | 'trouble';

/** Says what is going on, to eyes and to screen readers. */
export function say(text: string, state: State = 'idle'): void {
  const status = element('status');
  status.textContent = text;
  status.dataset.state = state;
}

/** An element of this page that its HTML has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}
