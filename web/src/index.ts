import { Api } from './api';
import { drawIcons } from './icons';
import { whileSeen } from './pace';
import { isLive, Rooms, type Entry } from './operator/rooms';
import { Row } from './operator/row';
import { element, goTo, say } from './room';
import { Refused } from './whip';

// How often the list is asked for while somebody looks at it.
const LOOK_MS = 5_000;
// Where the token is kept: in this tab, and gone with it.
const KEPT = 'footlight-management-token';

const signIn = element<HTMLFormElement>('sign-in');
const signOut = element<HTMLButtonElement>('sign-out');
const token = element<HTMLInputElement>('token');
const list = element('list');
const rooms = element('rooms');
const rows = new Map<string, Row>();
// From a token to its end: what is under way then is heard no more.
let session = new AbortController();
let look: () => Promise<void> = () => Promise.resolve();
let creating: (name: string) => Promise<string> = (name) => Promise.resolve(name);
let pages = 1;

async function main(): Promise<void> {
  drawIcons();
  element<HTMLFormElement>('open').addEventListener('submit', toRoom);
  signIn.addEventListener('submit', (event) => {
    event.preventDefault();
    begin(token.value.trim());
    token.value = '';
  });
  signOut.addEventListener('click', () => end('Signed out.'));
  element('create').addEventListener('submit', (event) => void create(event));
  element('more').addEventListener('click', () => {
    pages += 1;
    void look().catch(() => {});
  });
  const known = kept(() => sessionStorage.getItem(KEPT)) ?? (await ofDemo());
  if (known) begin(known);
  else end('');
}

/** What a browser that keeps nothing refuses is not there. */
function kept<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}

/** Whoever has a room's code is led to its pages. */
function toRoom(event: SubmitEvent): void {
  event.preventDefault();
  const page = (event.submitter as HTMLButtonElement | null)?.value === 'studio' ? 'studio' : 'watch';
  goTo(page, element<HTMLInputElement>('code').value);
}

/** A demo on this machine gives a token to its own page; every other server knows no such route. */
async function ofDemo(): Promise<string | null> {
  const response = await fetch('/v2/token/management', { method: 'POST' }).catch(() => null);
  const answer = response?.ok ? await response.json().catch(() => ({})) : {};
  return typeof answer.token === 'string' ? answer.token : null;
}

/** Shows the list by this token, from now on. */
function begin(bearer: string): void {
  session.abort();
  session = new AbortController();
  const { signal } = session;
  const source = new Rooms(new Api(bearer));
  say('Asking the server…');
  look = async () => {
    try {
      const { entries, more } = await source.list(pages);
      if (signal.aborted) return;
      kept(() => sessionStorage.setItem(KEPT, bearer));
      show(entries, more, source);
    } catch (error) {
      if (!signal.aborted) trouble(error as Error);
    }
  };
  creating = (name) => source.create(name);
  void whileSeen(LOOK_MS, signal, () => look());
}

async function create(event: Event): Promise<void> {
  event.preventDefault();
  const name = element<HTMLInputElement>('name');
  const created = element('created');
  created.textContent = '';
  try {
    const given = name.value.trim();
    // The names of rooms have no spaces.
    const made = await creating(given.replace(/\s+/g, '-'));
    name.value = '';
    // Beside the field, where the next look at the list does not take it away.
    if (made !== given) created.textContent = `Created as ${made}: names hold letters, digits and . - : _, and no spaces.`;
    await look();
  } catch (error) {
    trouble(error as Error);
  }
}

function show(entries: Entry[], more: boolean, source: Rooms): void {
  signIn.hidden = true;
  list.hidden = signOut.hidden = false;
  element('empty').hidden = entries.length > 0;
  element('more').hidden = !more;
  const then = (act: (room: string) => Promise<void>) => async (room: string) => {
    await act.call(source, room);
    await look();
  };
  const acts = { start: then(source.start), stop: then(source.stop), makeCodes: then(source.makeCodes) };
  const gone = new Set(rows.keys());
  for (const entry of entries) {
    gone.delete(entry.room.id);
    const row = rows.get(entry.room.id);
    if (row) row.show(entry);
    else rows.set(entry.room.id, new Row(entry, acts));
  }
  for (const id of gone) {
    rows.get(id)?.element.remove();
    rows.delete(id);
  }
  order(entries.map((entry) => (rows.get(entry.room.id) as Row).element));
  const live = entries.filter((entry) => isLive(entry.stream)).length;
  const words = `${entries.length}${more ? '+' : ''} ${entries.length === 1 && !more ? 'room' : 'rooms'}, ${live} on air`;
  // Said again only when it has changed: a screen reader would repeat it.
  if (element('status').textContent !== words) say(words);
}

/** Brings the rows into this order. One that is in its place is not touched: it may have the focus. */
function order(wanted: HTMLElement[]): void {
  wanted.forEach((row, at) => {
    if (rooms.children[at] !== row) rooms.insertBefore(row, rooms.children[at] ?? null);
  });
}

function trouble(error: Error): void {
  if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
    end('The server does not take this token: it is another server’s, has expired, or is no management token.');
    // A demo that was started anew gives its page another one.
    return void ofDemo().then((given) => given && begin(given));
  }
  say(error instanceof Refused ? error.message : 'The server does not answer. Trying again…', 'trouble');
}

/** Forgets the token, and asks for one. */
function end(why: string): void {
  session.abort();
  kept(() => sessionStorage.removeItem(KEPT));
  rows.clear();
  rooms.replaceChildren();
  element('created').textContent = '';
  pages = 1;
  list.hidden = signOut.hidden = true;
  signIn.hidden = false;
  say(why, why && why !== 'Signed out.' ? 'trouble' : 'idle');
}

main().catch((error: Error) => say(error.message, 'trouble'));
