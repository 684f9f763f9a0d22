// A WHIP client (RFC 9725): one peer connection, its session's URL, and the way back when the network breaks.

export interface Session {
  /** Ends the session at the server and here. */
  stop(): Promise<void>;
}

export interface Happenings {
  connected(): void;
  /** The connection is gone for good. */
  lost(): void;
}

/** Publishes a stream. Throws an Error whose message can be shown. */
export async function publish(endpoint: string, token: string, stream: MediaStream, on: Happenings): Promise<Session> {
  const connection = new RTCPeerConnection();
  for (const track of stream.getTracks()) {
    connection.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
  }
  await connection.setLocalDescription();
  await gathered(connection);
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
    body: connection.localDescription?.sdp ?? '',
  });
  if (response.status !== 201) {
    connection.close();
    const problem = await response.json().catch(() => ({}));
    throw new Error(`The server refused: ${problem.detail ?? problem.title ?? response.statusText}`);
  }
  const session = new URL(response.headers.get('location') ?? '', new URL(endpoint, location.href));
  await connection.setRemoteDescription({ type: 'answer', sdp: await response.text() });
  connection.addEventListener('connectionstatechange', () => {
    if (connection.connectionState === 'connected') on.connected();
    if (connection.connectionState === 'failed') on.lost();
  });
  return {
    async stop() {
      connection.close();
      await fetch(session, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } });
    },
  };
}

/** Waits for the candidates: the server is told of all of them at once, in the offer. */
function gathered(connection: RTCPeerConnection): Promise<void> {
  if (connection.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise((done) => {
    connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState === 'complete') done();
    });
  });
}
