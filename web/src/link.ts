// `Link: <turn:...>; rel="ice-server"; username="..."; credential="..."` of a WHIP server (RFC 9725 section 4.6, RFC 8288 section 3).

const LINK = /<([^>]*)>((?:\s*;\s*[\w-]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",;]*))?)*)/g;
const PARAMETER = /;\s*([\w-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?/g;

/** The ICE servers of a Link header, or of several that were joined by commas. */
export function iceServers(header: string): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  for (const [, urls = '', parameters = ''] of header.matchAll(LINK)) {
    const given = new Map<string, string>();
    for (const [, name = '', quoted, plain = ''] of parameters.matchAll(PARAMETER)) {
      given.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain);
    }
    if (given.get('rel') !== 'ice-server') continue;
    const [username, credential] = [given.get('username'), given.get('credential')];
    servers.push(username !== undefined && credential !== undefined ? { urls, username, credential } : { urls });
  }
  return servers;
}
