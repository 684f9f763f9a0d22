// On air, and back on air after whatever the network does.

import { unanswered } from '../api';
import { pause } from '../pace';
import { publish, Refused, type Hears } from '../whip';
import type { RoomStream } from './stream';

// Attempts in a row to get on air, doubling from the first pause to the longest: about two minutes, in which a server restarts or a
// train leaves a tunnel. Then a person decides.
const ATTEMPTS = 12;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

/** What is sent where, and who hears how it goes. */
export interface Stay extends Hears {
  endpoint: string;
  token: string;
  media: () => MediaStream;
  stream: RoomStream;
  /** Looks who is on stage; leaves where another window is there in this one's place. */
  look(): Promise<void>;
  /** What is sent arrives no more. */
  lost(): void;
  say(words: string): void;
}

/** Gets on air, and back on air, until `leave` is aborted; throws what cannot be helped by trying again. */
export async function stay(how: Stay, leave: AbortSignal): Promise<never> {
  let failed = 0;
  // Go starts the stream, and coming back does not: somebody may have ended it meanwhile.
  let started = false;
  for (;;) {
    let cause = 'The connection could not be made: the network may block the way to the server.';
    let pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failed, LONGEST_PAUSE_MS);
    try {
      await (started ? how.stream.look() : how.stream.start());
      // Newest wins: two windows that both came back would take over from each other without end.
      if (started) await how.look();
      started = true;
      leave.throwIfAborted();
      const connected = (connection: RTCPeerConnection) => {
        failed = 0;
        cause = 'The connection was lost.';
        how.connected(connection);
      };
      await publish(how.endpoint, how.token, how.media(), { begun: how.begun, connected }, leave);
    } catch (error) {
      leave.throwIfAborted();
      if (error instanceof Refused) {
        if (!error.later) throw error;
        cause = error.message;
        pauseMs = Math.max(pauseMs, error.retryAfterMs);
      } else if (unanswered(error)) {
        cause = 'The server does not answer.';
      } else {
        throw error;
      }
    } finally {
      // Another Go may be under way by now: what it says of itself stands.
      if (!leave.aborted) how.lost();
    }
    failed += 1;
    if (failed === ATTEMPTS) throw new Error(`${cause} You are not on air: ${ATTEMPTS} attempts have failed.`);
    how.say(`${cause} Trying again in ${Math.ceil(pauseMs / 1_000)} s…`);
    await pause(pauseMs, leave);
    how.say('Connecting…');
  }
}
