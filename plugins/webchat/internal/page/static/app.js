// The page. What it has of each room, and what it has said without hearing it back,
// is all that it needs to go on after any break: the first is told to the chat, which
// sends the rest; the second is said again, under the same id, which the chat knows.

import {Connection} from './connection.js';
import {List, element} from './messages.js';

const $ = id => document.getElementById(id);
const kept = 1000; // messages of a room that the page keeps
const keptWaiting = 200; // messages said while offline
// A test turns the page's own de-duplication off, to count what really came.
const dedup = new URLSearchParams(location.search).get('dedup') !== 'off';
const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('');

// --- what a browser remembers -----------------------------------------------

// In a private window it may not; then it does until the page is closed.
const memory = store => ({
  get(key) { try { return store().getItem(key); } catch { return null; } },
  set(key, value) { try { store().setItem(key, value); } catch { /* as above */ } },
});
const browser = memory(() => localStorage);
const tab = memory(() => sessionStorage);

const token = browser.get('webchat.token') ?? random(); // by which we stay the same person
browser.set('webchat.token', token);
$('name').value = browser.get('webchat.name') ?? '';

// --- what the page knows ----------------------------------------------------

let chat, self, title = document.title;
let current; // name of the room shown
let caughtUp = false; // what comes from now on is new
let rooms = new Map(); // name -> {row: the last we have, messages, unread}
// By the page's own id, what was said and not heard back. It outlives a reload.
const waiting = new Map(JSON.parse(tab.get('webchat.waiting') ?? '[]'));

const log = new List($('log'), {most: 2 * kept}); // days are in it too
const outgoing = new List($('waiting'), {before: log});

// --- what the chat says -----------------------------------------------------

const connection = new Connection({
  hello: () => ({type: 'hello', token, chat, rows: Object.fromEntries([...rooms].map(([name, r]) => [name, r.row]))}),
  changed(state) {
    $('state').dataset.state = state;
    $('state-text').textContent = {connecting: 'Connecting…', open: 'Connected', closed: 'Offline, trying again'}[state];
  },
  answered(answer) {
    switch (answer.type) {
      case 'welcome': return welcome(answer);
      case 'messages': return arrived(answer.room, answer.messages);
      case 'caught_up': return live();
      case 'refused': return refused(answer.client, answer.reason);
    }
  },
});

function welcome(answer) {
  if (chat !== answer.chat) { // the first one, or another one at this address
    rooms.clear();
    current = undefined;
  }
  ({chat, self, title} = answer);
  const names = answer.rooms ?? [];
  rooms = new Map(names.map(name => [name, rooms.get(name) ?? {row: undefined, messages: [], unread: 0}]));
  $('title').textContent = title;
  makeRooms();
  if (rooms.has(current)) drawRooms(); else show(names[0]);
  for (const [client, said] of waiting) transmit(client, said);
}

function arrived(name, messages) {
  const room = rooms.get(name);
  let ours = false;
  for (const m of messages) {
    if (dedup && m.row <= room.row) continue;
    room.row = Math.max(room.row ?? 0, m.row);
    m.mine = m.author_id === self;
    if (m.mine && heardBack(m.client)) ours = true;
    room.messages.push(m);
    if (room.messages.length > kept) room.messages.shift();
    if (name === current) log.append(m).classList.toggle('fresh', caughtUp && !m.mine);
    if (caughtUp && !m.mine && (name !== current || document.hidden)) room.unread++;
  }
  if (name === current) settle(ours, messages.length);
  drawRooms();
}

// live ends the first catching up. Only now is what arrives read out and counted.
function live() {
  if (caughtUp) return;
  caughtUp = true;
  $('live').setAttribute('aria-live', 'polite');
  settle(true);
}

// --- rooms ------------------------------------------------------------------

function makeRooms() {
  $('rooms').hidden = rooms.size < 2;
  $('rooms').replaceChildren(...[...rooms].map(([name, room]) => {
    room.count = element('span', 'unread');
    room.button = element('button', '', element('bdi', 'room-label', name), room.count);
    room.button.type = 'button';
    room.button.onclick = () => { show(name); $('text').focus(); };
    return room.button;
  }));
}

function drawRooms() {
  let all = 0;
  for (const [name, room] of rooms) {
    all += room.unread;
    room.button.setAttribute('aria-current', name === current ? 'page' : 'false');
    room.count.hidden = name === current || room.unread === 0;
    room.count.replaceChildren(String(Math.min(room.unread, 99)), element('span', 'visually-hidden', ' unread'));
  }
  document.title = all ? `(${all}) ${title}` : title;
}

// show shows a room. None may be in use at all.
function show(name) {
  current = name;
  $('room-name').textContent = name ?? 'No room is in use';
  $('composer').hidden = name === undefined;
  $('live').setAttribute('aria-live', 'off'); // what is here already is not news
  log.clear();
  outgoing.clear();
  const room = rooms.get(name);
  if (room) room.unread = 0;
  for (const m of room?.messages ?? []) log.append(m);
  for (const said of waiting.values()) draw(said);
  settle(true);
  drawRooms();
  if (caughtUp) requestAnimationFrame(() => $('live').setAttribute('aria-live', 'polite'));
}

document.addEventListener('visibilitychange', () => {
  const room = rooms.get(current);
  if (document.hidden || !room?.unread) return;
  room.unread = 0;
  drawRooms();
});

// --- scrolling --------------------------------------------------------------

// Who reads the newest message stays at the newest; who reads above stays there.
const scroll = $('scroll');
let atEnd = true, below = 0;

function settle(force, fresh = 0) {
  $('empty').hidden = log.size + outgoing.size > 0 || !caughtUp || current === undefined;
  if (force || atEnd) {
    scroll.scrollTop = scroll.scrollHeight;
    below = 0;
  } else {
    below += fresh;
  }
  $('newest').hidden = below === 0;
  $('newest-text').textContent = below === 1 ? '1 new message' : `${below} new messages`;
}

scroll.addEventListener('scroll', () => {
  atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
  if (atEnd) settle();
}, {passive: true});
$('newest').onclick = () => { settle(true); $('text').focus(); };
new ResizeObserver(() => { if (atEnd) settle(true); }).observe(scroll);

// --- writing ----------------------------------------------------------------

function transmit(client, {room, name, text}) {
  connection.send({type: 'say', room, name, text, client});
}

// draw shows what was said and not heard back, in its room.
function draw(said) {
  if (said.room !== current) return;
  const li = outgoing.append({author_id: self, author: said.name, text: said.text, time: said.time, mine: true});
  li.querySelector('.body').append(element('p', 'fate', 'Sending…'));
  nodes.set(said, li);
}
const nodes = new WeakMap();

function remember(client, said) {
  waiting.set(client, said);
  tab.set('webchat.waiting', JSON.stringify([...waiting]));
}

// settled ends the waiting of what was said under an id; undefined: none waits.
function settled(client) {
  const said = waiting.get(client);
  waiting.delete(client);
  tab.set('webchat.waiting', JSON.stringify([...waiting]));
  return said;
}

// heardBack takes what now is in the log out of what waits, if it did.
function heardBack(client) {
  const said = settled(client);
  nodes.get(said)?.remove();
  return said !== undefined;
}

// refused leaves the message where it is, to be copied and changed.
function refused(client, reason) {
  const li = nodes.get(settled(client));
  li?.classList.add('refused');
  li?.querySelector('.fate').replaceChildren('Not sent');
  problem(`Not sent: ${reason}.`);
}

function problem(text) { $('problem').textContent = text; }

$('composer').addEventListener('submit', event => {
  event.preventDefault();
  const name = $('name').value.trim(), text = $('text').value.trimEnd();
  if (!name) {
    problem('Say who you are first.');
    $('name').focus();
    return;
  }
  browser.set('webchat.name', name);
  problem('');
  $('text').focus();
  if (!text.trim()) return;
  if (waiting.size >= keptWaiting) {
    problem('Too much is waiting to be sent. Wait until the page is connected again.');
    return;
  }
  const client = random(), said = {room: current, name, text, time: Date.now()};
  remember(client, said);
  draw(said);
  transmit(client, said);
  $('text').value = '';
  fit();
  settle(true);
});

$('text').addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
});

// fit makes the field as high as what is in it, up to what the style allows.
function fit() {
  $('text').style.height = 'auto';
  $('text').style.height = `${$('text').scrollHeight}px`;
}
$('text').addEventListener('input', fit);
