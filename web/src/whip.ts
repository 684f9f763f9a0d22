// A WHIP client (RFC 9725): one peer connection and its session at the server, which end together.

import { encodings, settle } from './layers';
import { iceServers } from './link';

// An answer to OPTIONS takes a round trip. Who has heard nothing by then does without: most networks need no other server.
const OPTIONS_WAIT_MS = 3_000;
// A STUN or TURN server that answers does so within a round trip or two; the browser waits ten seconds for one that does not.
const GATHER_WAIT_MS = 3_000;
// From the server's answer to being connected. Four times what ICE and DTLS take where each loses a packet.
const CONNECT_WAIT_MS = 15_000;

/** The server refused. Its message can be shown. */
export class Refused extends Error {
  readonly status: number;
  /** Whether the same request may be taken later: the server is busy, or has an accident. */
  readonly later: boolean;
  /** Not before then, where the server said so (RFC 9110 section 10.2.3); milliseconds. */
  readonly retryAfterMs: number;

  constructor(message: string, response: Response) {
    super(message);
    this.status = response.status;
    this.later = response.status === 429 || response.status >= 500;
    this.retryAfterMs = (Number(response.headers.get('retry-after')) || 0) * 1_000;
  }
}

/** Who hears how a publication goes. */
export interface Hears {
  /** The server has begun a session, of this id. */
  begun(session: string): void;
  /** What is sent arrives. */
  connected(connection: RTCPeerConnection): void;
}

/**
 * Publishes a stream, and resolves when its connection is lost for good or has not come about in time. Throws where the server refuses or cannot be reached, and when
 * `leave` is aborted. However it ends, the session has ended at the server too, as far as that can be told.
 */
export async function publish(endpoint: string, token: string, stream: MediaStream, hears: Hears, leave: AbortSignal): Promise<void> {
  const authorization = `Bearer ${token}`;
  const connection = connectionWith(await recommended(endpoint, authorization, leave));
  let session: URL | null = null;
  const left = new Promise<void>((_, abort) => leave.addEventListener('abort', () => abort(leave.reason), { once: true }));
  // Heard only while it is waited for.
  left.catch(() => {});
  const lost = new Promise<void>((done) => {
    connection.addEventListener('connectionstatechange', () => {
      if (leave.aborted) return;
      if (connection.connectionState === 'connected') hears.connected(connection);
      if (connection.connectionState === 'failed') done();
    });
  });
  let late: ReturnType<typeof setTimeout> | undefined;
  try {
    for (const track of stream.getTracks()) send(connection, track, stream);
    await connection.setLocalDescription();
    const enough = new Promise<void>((done) => {
      late = setTimeout(done, GATHER_WAIT_MS);
    });
    await Promise.race([gathered(connection), enough, left]);
    clearTimeout(late);
    // Not aborted with the rest: the answer names the session that is to be ended.
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/sdp' },
      body: connection.localDescription?.sdp ?? '',
    });
    if (response.status !== 201) throw await refusal(response);
    const location = response.headers.get('location');
    if (!location) throw new Refused('The server did not say where the session is.', response);
    session = new URL(location, new URL(endpoint, window.location.href));
    hears.begun(session.pathname.split('/').at(-1) ?? '');
    const answer = await response.text();
    leave.throwIfAborted();
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    await settle(connection, answer);
    // A handshake that makes no headway never fails by itself.
    const stuck = new Promise<void>((done) => {
      late = setTimeout(() => connection.connectionState === 'connected' || done(), CONNECT_WAIT_MS);
    });
    await Promise.race([lost, stuck, left]);
  } finally {
    clearTimeout(late);
    connection.close();
    // `keepalive`: the page may be going away. Where this does not arrive, the server ends the session when its consent has expired.
    if (session) await fetch(session, { method: 'DELETE', headers: { authorization }, keepalive: true }).catch(() => {});
  }
}

function send(connection: RTCPeerConnection, track: MediaStreamTrack, stream: MediaStream): void {
  const how: RTCRtpTransceiverInit = { direction: 'sendonly', streams: [stream] };
  const layers = encodings(track);
  if (layers) {
    try {
      connection.addTransceiver(track, { ...how, sendEncodings: layers });
      return;
    } catch {
      // A browser that knows no layers sends one picture.
    }
  }
  connection.addTransceiver(track, how);
}

/** Whether the server lets this token publish, as far as it says: otherwise the offer is answered in time. */
export async function mayPublish(endpoint: string, token: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  const signal = AbortSignal.timeout(OPTIONS_WAIT_MS);
  const response = await fetch(endpoint, { method: 'OPTIONS', headers, signal }).catch(() => null);
  return response?.status !== 403;
}

/** The ICE servers that the server recommends to who may publish (RFC 9725 section 4.6); none where it does not say. */
async function recommended(endpoint: string, authorization: string, leave: AbortSignal): Promise<RTCIceServer[]> {
  try {
    const signal = AbortSignal.any([leave, AbortSignal.timeout(OPTIONS_WAIT_MS)]);
    const response = await fetch(endpoint, { method: 'OPTIONS', headers: { authorization }, signal });
    return response.ok ? iceServers(response.headers.get('link') ?? '') : [];
  } catch {
    leave.throwIfAborted();
    return [];
  }
}

function connectionWith(servers: RTCIceServer[]): RTCPeerConnection {
  try {
    return new RTCPeerConnection({ iceServers: servers });
  } catch {
    // One that this browser does not understand: without any is better than not at all.
    return new RTCPeerConnection();
  }
}

async function refusal(response: Response): Promise<Refused> {
  const problem = await response.json().catch(() => ({}));
  return new Refused(`The server refused: ${problem.detail ?? problem.title ?? response.statusText}`, response);
}

/** Waits for the candidates: the server is told of them at once, in the offer. */
function gathered(connection: RTCPeerConnection): Promise<void> {
  if (connection.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise((done) => {
    connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState === 'complete') done();
    });
  });
}
