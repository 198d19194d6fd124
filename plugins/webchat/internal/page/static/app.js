// The page. What it has of each room, and what it has done without hearing it back,
// is all that it needs to go on after any break: the first is told to the chat, which
// sends the rest; the second is done again, under the same id, which the chat knows.

import {Actions, place} from './actions.js';
import {Composer} from './composer.js';
import {Connection} from './connection.js';
import {List, element, markedFor} from './messages.js';
import {Lock} from './lock.js';
import {Room, plain} from './rooms.js';

const $ = id => document.getElementById(id);
const kept = 1000; // messages of a room that the page keeps while the newest are read
const keptWaiting = 200; // what is done while offline
const farthest = 30; // times that older messages are asked for, to find one
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
let rooms = new Map(); // by name
const visited = new Set(); // names of the rooms that were shown
let sought; // {row, times}: a message that is looked for among the older ones
// By the page's own id, what was done and not heard back. It outlives a reload.
const waiting = new Map(JSON.parse(tab.get('webchat.waiting') ?? '[]').filter(([, wanted]) => wanted.frame));

const lock = new Lock(() => { connection.unlocked(); composer.focus(); });
const log = new List($('log'));
const outgoing = new List($('waiting'), {before: log});
const nodes = new WeakMap(); // of what waits, by what was said

// --- what the chat says -----------------------------------------------------

const connection = new Connection({
  hello: () => ({type: 'hello', token, chat, rows: Object.fromEntries([...rooms].filter(([, r]) => r.row !== undefined).map(([name, r]) => [name, r.row]))}),
  changed(state) {
    $('state').dataset.state = state;
    $('state-text').textContent = {connecting: 'Connecting…', open: 'Connected', closed: 'Offline, trying again', locked: 'Locked'}[state];
    if (state === 'locked') lock.ask();
  },
  answered(answer) {
    const room = rooms.get(answer.room);
    switch (answer.type) {
      case 'welcome': return welcome(answer);
      case 'members': return members(answer.room, answer.people ?? []);
      case 'history': return answer.before ? olderCame(answer) : begin(answer);
      case 'changes': return changed(answer.room, answer.changes);
      case 'typing': room.typing = (answer.people ?? []).map(p => p.name); return drawTyping();
      case 'caught_up': return live();
      case 'done': return settled(answer.client);
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
  markedFor(self);
  composer.maxFile = answer.max_file;
  const names = answer.rooms ?? [];
  rooms = new Map(names.map(name => [name, rooms.get(name) ?? new Room()]));
  for (const room of rooms.values()) {
    room.loading = false;
    room.typing = [];
  }
  $('title').textContent = title;
  makeRooms();
  if (rooms.has(current)) drawRooms(); else show(names[0]);
  for (const name of visited) enter(name);
  for (const [client, wanted] of waiting) connection.send({...wanted.frame, client});
}

// ours marks what this browser said.
const ours = m => { m.mine = m.author_id === self; return m; };

function begin(answer) {
  const room = rooms.get(answer.room);
  room.begin(answer);
  for (const m of room.messages) if (ours(m).mine) heardBack(m.client);
  if (answer.room === current) show(current);
}

function changed(name, changes) {
  const room = rooms.get(name);
  const shown = name === current;
  let said = false, fresh = 0;
  for (const change of changes) {
    if (dedup && change.row <= room.row) continue;
    if (change.message) ours(change.message);
    const own = heardBack(change.client);
    const result = room.apply(change);
    if (result.added) {
      const m = result.added;
      said ||= m.mine && own;
      fresh++;
      if (shown) log.append(m).classList.toggle('fresh', caughtUp && !m.mine);
      if (caughtUp && !m.mine && (!shown || document.hidden)) room.unread++;
    }
    if (shown) {
      for (const m of result.changed ?? []) log.update(m);
      if (change.kind === 'deleted') composer.gone(change.about);
      if (change.kind === 'deleted' || change.kind === 'edited') actions.hide();
      if (result.members) drawMembers();
    }
  }
  if (shown) {
    if (atEnd && room.messages.length > kept) {
      room.forget(kept);
      log.forget(room.messages[0]);
      drawOlder();
    }
    settle(said, fresh);
  } else {
    room.forget(kept);
  }
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
    room.button.onclick = () => { show(name); composer.focus(); };
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
  if (current !== name) composer.cancel();
  current = name;
  $('room-name').textContent = name ?? 'No room is in use';
  $('composer').hidden = name === undefined;
  $('live').setAttribute('aria-live', 'off'); // what is here already is not news
  log.clear();
  outgoing.clear();
  actions.hide();
  sought = undefined;
  const room = rooms.get(name);
  if (room) room.unread = 0;
  for (const m of room?.messages ?? []) log.append(m);
  for (const wanted of waiting.values()) draw(wanted);
  settle(true);
  drawRooms();
  drawOlder();
  drawMembers();
  drawTyping();
  enter(name);
  if (caughtUp) requestAnimationFrame(() => $('live').setAttribute('aria-live', 'polite'));
}

document.addEventListener('visibilitychange', () => {
  const room = rooms.get(current);
  if (document.hidden || !room?.unread) return;
  room.unread = 0;
  drawRooms();
});

// enter tells the chat that we look at a room, if we have said who we are.
function enter(name) {
  const as = browser.get('webchat.name') ?? $('name').value.trim();
  if (name === undefined || !as) return;
  visited.add(name);
  connection.send({type: 'enter', room: name, name: as});
}

function members(name, people) {
  rooms.get(name).members = new Map(people.map(p => [p.id, p.name]));
  if (name === current) drawMembers();
}

function drawMembers() {
  const all = [...rooms.get(current)?.members ?? []].sort(([, a], [, b]) => a.localeCompare(b));
  $('members-button').hidden = all.length === 0;
  $('members-count').textContent = all.length;
  $('members-list').replaceChildren(...all.map(([id, name]) => {
    const li = element('li', '', element('bdi', '', name));
    if (id === self) li.append(element('span', 'you', ' you'));
    return li;
  }));
}
$('members').addEventListener('toggle', event => { if (event.newState === 'open') place($('members'), $('members-button')); });

function drawTyping() {
  const names = rooms.get(current)?.typing ?? [];
  const who = names.slice(0, 3).map(name => element('bdi', 'author', name));
  $('typing').replaceChildren(...who.flatMap((e, i) => i ? [i === who.length - 1 && names.length <= 3 ? ' and ' : ', ', e] : [e]),
    names.length > 3 ? ' and others are writing…' : names.length > 1 ? ' are writing…' : names.length ? ' is writing…' : '');
}

// --- scrolling --------------------------------------------------------------

// Who reads the newest message stays at the newest; who reads above stays there.
const scroll = $('scroll');
let atEnd = true, below = 0, lastTop = 0;

function toEnd() {
  scroll.scrollTop = scroll.scrollHeight;
  lastTop = scroll.scrollTop;
}

function settle(force, fresh = 0) {
  $('empty').hidden = log.size + outgoing.size > 0 || !caughtUp || current === undefined;
  actions.settle();
  if (force || atEnd) {
    toEnd();
    below = 0;
  } else {
    below += fresh;
  }
  $('newest').hidden = below === 0;
  $('newest-text').textContent = below === 1 ? '1 new message' : `${below} new messages`;
}

scroll.addEventListener('scroll', () => {
  // The end is left by going up only: when it is told that we went there, a picture
  // may have moved it on already.
  atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80 || atEnd && scroll.scrollTop >= lastTop;
  lastTop = scroll.scrollTop;
  if (atEnd) settle();
  if (scroll.scrollTop < 300 && caughtUp) older();
}, {passive: true});
$('newest').onclick = () => { settle(true); composer.focus(); };
new ResizeObserver(() => { if (atEnd) settle(true); }).observe(scroll);
// What grows (a picture that has come) doesn't push the newest message out of sight.
new ResizeObserver(() => { if (atEnd) toEnd(); }).observe($('live'));

// older asks for what is before the first message, unless it was asked for.
function older() {
  const room = rooms.get(current);
  if (!room?.more || room.loading || room.messages.length === 0) return;
  room.loading = connection.send({type: 'older', room: current, before: room.messages[0].row});
  drawOlder();
}

function olderCame(answer) {
  const room = rooms.get(answer.room), next = room.messages[0];
  const fresh = room.older(answer).map(ours);
  if (answer.room !== current) return;
  const height = scroll.scrollHeight, top = scroll.scrollTop;
  log.prepend(fresh, next);
  drawOlder();
  scroll.scrollTop = top + scroll.scrollHeight - height; // the same is in sight
  if (sought) goTo(sought.row, sought.times + 1);
}

function drawOlder() {
  const room = rooms.get(current);
  $('older').hidden = !room || room.messages.length === 0;
  $('older').textContent = room?.loading ? 'Older messages are on their way…' : room?.more ? '' : 'This is where the room begins';
}

// goTo shows a message, for which older ones may have to come first.
function goTo(row, times = 0) {
  sought = undefined;
  const li = log.item(row);
  if (li) {
    li.scrollIntoView({block: 'center'});
    li.focus({preventScroll: true});
    li.classList.remove('found');
    requestAnimationFrame(() => li.classList.add('found'));
  } else if (rooms.get(current)?.more && times < farthest) {
    sought = {row, times};
    older();
  }
}
$('log').addEventListener('click', event => {
  const row = event.target.closest('.quote')?.dataset.goTo;
  if (row) goTo(row);
});

// --- doing ------------------------------------------------------------------

// want has something done, now or once the page is connected again. What is said is
// shown meanwhile, with how it answers and its files.
function want(frame, look = {}) {
  if (waiting.size >= keptWaiting) {
    composer.problem('Too much is waiting to be sent. Wait until the page is connected again.');
    return false;
  }
  const client = random(), wanted = {frame: {...frame, room: current, name: $('name').value.trim() || 'someone'}, look, time: Date.now()};
  waiting.set(client, wanted);
  remember();
  draw(wanted);
  connection.send({...wanted.frame, client});
  return true;
}

function remember() { tab.set('webchat.waiting', JSON.stringify([...waiting])); }

// draw shows what was said and not heard back, in its room.
function draw(wanted) {
  const {frame, look, time} = wanted;
  if (frame.type !== 'say' || frame.room !== current) return;
  const emote = frame.text.startsWith('/me ');
  const li = outgoing.append({author_id: self, author: frame.name, text: emote ? frame.text.slice(4) : frame.text, emote, time, mine: true, ...look});
  li.querySelector('.body').append(element('p', 'fate', 'Sending…'));
  nodes.set(wanted, li);
}

// settled ends the waiting of what was done under an id; undefined: none waits.
function settled(client) {
  const wanted = waiting.get(client);
  if (waiting.delete(client)) remember();
  return wanted;
}

// heardBack takes what now is in the log out of what waits, if it did.
function heardBack(client) {
  const wanted = client && settled(client);
  if (wanted) nodes.get(wanted)?.remove();
  return Boolean(wanted);
}

// refused leaves a message where it is, to be copied and changed.
function refused(client, reason) {
  const wanted = settled(client), li = nodes.get(wanted);
  li?.classList.add('refused');
  li?.querySelector('.fate').replaceChildren('Not sent');
  const what = {say: 'Not sent', edit: 'Not edited', delete: 'Not deleted'}[wanted?.frame.type] ?? 'Not done';
  composer.problem(`${what}: ${reason}.`);
}

// named says whether we have a name, and asks for one.
function named() {
  const name = $('name').value.trim();
  composer.problem(name ? '' : 'Say who you are first.');
  if (!name) $('name').focus();
  else if (browser.get('webchat.name') !== name) {
    browser.set('webchat.name', name);
    enter(current);
  }
  return name !== '';
}
$('name').addEventListener('change', () => { if ($('name').value.trim()) named(); });
$('name').addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.isComposing) return;
  event.preventDefault(); // of two fields in a form Enter in one would send
  if (named()) composer.focus();
});

const composer = new Composer({
  send(said) {
    if (!named() || !said) return false;
    const {text, message, answered, editing, files} = said;
    if (editing) return want({type: 'edit', text, message});
    const reply = answered && {row: answered.row, author: answered.author, text: plain(answered).slice(0, 140)};
    const taken = want({type: 'say', text, message, files: files.map(({hash, name, alt}) => ({hash, name, alt}))}, {reply, files});
    if (taken) settle(true);
    return taken;
  },
  typing(whether) {
    const name = $('name').value.trim();
    if (name) connection.send({type: 'typing', room: current, name, typing: whether});
  },
  lastOwn: () => rooms.get(current)?.messages.findLast(m => m.mine && !m.deleted),
});

const actions = new Actions({
  message: row => rooms.get(current)?.byRow.get(Number(row)),
  can: m => m.mine && !m.foreign ? ['react', 'reply', 'edit', 'delete'] : ['react', 'reply'],
  act(act, m, emoji) {
    switch (act) {
      case 'reply': return composer.answer(m);
      case 'edit': return composer.edit(m);
      case 'delete': return want({type: 'delete', message: m.row});
      case 'react': {
        if (!named()) return;
        const has = m.reactions?.find(r => r.emoji === emoji)?.by.some(p => p.id === self);
        $('said').textContent = has ? `${emoji} taken back` : `Reacted with ${emoji}`;
        return want({type: has ? 'unreact' : 'react', message: m.row, emoji});
      }
    }
  },
  older,
  leave: () => composer.focus(),
});
