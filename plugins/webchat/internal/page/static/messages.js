// How a message looks. Everything that somebody wrote becomes a text node: nothing
// here makes HTML of it.

const timeOf = new Intl.DateTimeFormat(undefined, {hour: 'numeric', minute: '2-digit'});
const dayOf = new Intl.DateTimeFormat(undefined, {weekday: 'long', day: 'numeric', month: 'long'});
const wholeTime = new Intl.DateTimeFormat(undefined, {dateStyle: 'full', timeStyle: 'medium'});
const graphemes = new Intl.Segmenter();

const together = 5 * 60_000; // messages of one author this close are one group
// Where a link may lead; the rest is shown as text.
const schemes = new Set(['http:', 'https:', 'mailto:', 'tel:', 'xmpp:', 'irc:', 'ircs:', 'matrix:']);
const link = /https?:\/\/[^\s<>"']*[^\s<>"'.,:;!?)\]}]/g;
const fewEmoji = /^(?:\p{RGI_Emoji}\s*){1,3}$/v;

export function element(tag, className, ...children) {
  const e = document.createElement(tag);
  e.className = className;
  e.append(...children);
  return e;
}

// List shows messages in a list element, one behind the other, grouped and with a
// line for each new day.
export class List {
  #ol; #before;
  last; // the message shown last

  // before is the list that stands above this one, and makes its days.
  constructor(ol, {before} = {}) {
    this.#ol = ol;
    this.#before = before;
  }

  get size() { return this.#ol.childElementCount; }
  get items() { return this.#ol.querySelectorAll('.message'); }

  item(row) { return this.#ol.querySelector(`.message[data-message-id="${Number(row)}"]`); }

  clear() {
    this.#ol.replaceChildren();
    this.last = undefined;
  }

  append(m) {
    const [nodes, li] = this.#nodes(m, this.size ? this.last : this.#before?.last);
    this.#ol.append(...nodes);
    this.last = m;
    return li;
  }

  // prepend shows older messages above all others; next is the one that follows them.
  prepend(messages, next) {
    const nodes = [];
    let previous;
    for (const m of messages) {
      nodes.push(...this.#nodes(m, previous)[0]);
      previous = m;
    }
    const first = next && this.item(next.row);
    if (first && previous) {
      if (sameDay(previous, next) && first.previousElementSibling?.matches('.day')) first.previousElementSibling.remove();
      first.classList.toggle('follows', follows(previous, next));
    }
    this.#ol.prepend(...nodes);
    this.last ??= previous;
  }

  // update shows a message as it is now, where it was.
  update(m) {
    const old = this.item(m.row);
    if (!old) return;
    const li = message(m, old.classList.contains('follows'));
    const focused = old === document.activeElement;
    li.tabIndex = old.tabIndex;
    old.replaceWith(li);
    if (focused) li.focus({preventScroll: true});
  }

  // forget drops what is above a message.
  forget(m) {
    const first = m && this.item(m.row);
    while (first?.previousElementSibling) first.previousElementSibling.remove();
    if (first && !this.#before) first.before(element('li', 'day', dayName(m.time)));
  }

  #nodes(m, previous) {
    const day = !this.#before && !(previous && sameDay(previous, m));
    const li = message(m, !day && follows(previous, m));
    return [day ? [element('li', 'day', dayName(m.time)), li] : [li], li];
  }
}

const sameDay = (a, b) => dayOf.format(a.time) === dayOf.format(b.time);

// follows says whether a message stands under the same name as the one before.
function follows(previous, m) {
  return Boolean(previous && previous.author_id === m.author_id && previous.author === m.author && m.time - previous.time < together
    && !m.reply && !m.emote && !previous.emote);
}

function dayName(time) {
  const day = dayOf.format(time);
  if (day === dayOf.format(Date.now())) return 'Today';
  if (day === dayOf.format(Date.now() - 24 * 3600_000)) return 'Yesterday';
  return day;
}

function message(m, follows) {
  const li = element('li', 'message');
  li.classList.toggle('mine', Boolean(m.mine));
  li.classList.toggle('follows', Boolean(follows));
  li.tabIndex = -1;
  if (m.row) li.dataset.messageId = m.row;
  li.dataset.author = m.author;
  li.dataset.text = m.text;

  const avatar = portrait(m);
  const by = element('div', 'by', element('bdi', 'author', m.mine ? 'You' : m.author));
  if (m.bridged) {
    const badge = element('span', 'badge', 'bridged');
    badge.title = 'Written on another network';
    by.append(badge);
  }
  const time = element('time', 'time', timeOf.format(m.time));
  time.dateTime = new Date(m.time).toISOString();
  time.title = wholeTime.format(m.time);
  by.append(time);
  const body = element('div', 'body', by);
  if (m.reply) body.append(quote(m.reply));
  if (m.deleted) {
    body.append(element('p', 'gone', 'This message was deleted'));
  } else {
    if (m.text) body.append(bubble(m, time.title));
    if (m.files?.length) body.append(element('ul', 'files', ...m.files.map(file)));
    if (m.edited) body.append(element('span', 'edited', 'edited'));
    if (m.reactions?.length) body.append(reactions(m));
  }
  li.append(avatar, body);
  return li;
}

// portrait is the author's picture, or where there is none, or it doesn't load, the
// initials.
function portrait(m) {
  const letters = element('span', 'avatar', initials(m.author));
  letters.setAttribute('aria-hidden', 'true');
  letters.style.setProperty('--hue', hue(m.author_id));
  if (!m.avatar) return letters;
  const picture = element('img', 'avatar');
  picture.alt = `Picture of ${m.author}`;
  picture.loading = 'lazy';
  picture.onerror = () => picture.replaceWith(letters);
  picture.src = `files/${m.avatar}`;
  return picture;
}

function bubble(m, title) {
  const e = element('div', 'bubble', ...(m.segments?.length ? m.segments.map(segment) : linked(m.text)));
  e.dir = 'auto';
  e.title = title;
  e.classList.toggle('emoji', !m.emote && fewEmoji.test(m.text));
  if (m.emote) {
    e.classList.add('emote');
    e.prepend(element('bdi', 'author', m.author), ' ');
  }
  return e;
}

// segment makes an element of a run of formatted text.
function segment(s) {
  let e = s.code || s.block || s.link ? s.text : element('span', '', ...linked(s.text));
  const wrap = (tag, className = '') => { e = element(tag, className, e); };
  if (s.code || s.block) wrap('code');
  if (s.block) wrap('pre');
  if (s.bold) wrap('strong');
  if (s.italic) wrap('em');
  if (s.underline) wrap('u');
  if (s.strike) wrap('s');
  if (s.mention) wrap('span', 'mention');
  if (s.link && URL.canParse(s.link) && schemes.has(new URL(s.link).protocol)) e = anchor(s.link, e);
  return e;
}

// quote is how a message begins that is answered; it leads to it.
function quote({row, author, text}) {
  const b = element('button', 'quote', element('span', 'visually-hidden', 'Answer to '), element('bdi', 'author', author), ' ',
    element('span', 'excerpt', text || 'a message that is gone, or a file'));
  b.type = 'button';
  b.dir = 'auto';
  b.dataset.goTo = row;
  return b;
}

// file shows an image, or names what can be saved.
function file(f) {
  const a = anchor(`files/${encodeURIComponent(f.hash)}`);
  const size = bytes(f.size);
  if (!f.shown) {
    a.className = 'file';
    a.download = f.name;
    a.append(icon('M6 2h8l5 5v13a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zm7 1.5V8h4.5z'),
      element('span', 'file-name', f.name), element('span', 'file-size', size));
    return element('li', '', a);
  }
  const img = element('img', '');
  img.loading = 'lazy';
  img.decoding = 'async';
  img.alt = f.alt || f.name;
  if (f.width && f.height) {
    img.width = f.width;
    img.height = f.height;
    img.style.width = `${Math.min(f.width, 300 * f.width / f.height)}px`; // its room before it has come; 300 is max-height
  }
  img.title = `${f.name}, ${size}`;
  img.src = a.href;
  a.className = 'image';
  a.append(img);
  return element('li', '', a);
}

function reactions(m) {
  const list = element('div', 'reactions');
  list.setAttribute('role', 'group');
  list.setAttribute('aria-label', 'Reactions');
  list.setAttribute('aria-live', 'off');
  for (const {emoji, by} of m.reactions) {
    const names = by.map(p => p.name).join(', ');
    const b = element('button', 'reaction', element('span', 'which', emoji), ` ${by.length}`);
    b.type = 'button';
    b.tabIndex = -1; // the picker does the same, by keyboard
    b.dataset.emoji = emoji;
    b.title = names;
    b.setAttribute('aria-label', `${emoji} ${by.length}: ${names}`);
    b.setAttribute('aria-pressed', String(by.some(p => p.id === self)));
    list.append(b);
  }
  return list;
}

let self; // whose own reactions are marked
export function markedFor(id) { self = id; }

export function icon(path) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const p = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  p.setAttribute('d', path);
  svg.append(p);
  return svg;
}

export function bytes(n) {
  const unit = n < 1e3 ? 0 : n < 1e6 ? 1 : 2;
  return `${(n / 1e3 ** unit).toLocaleString(undefined, {maximumFractionDigits: unit && n / 1e3 ** unit < 10 ? 1 : 0})} ${['bytes', 'kB', 'MB'][unit]}`;
}

function anchor(url, ...children) {
  const a = element('a', '', ...children);
  a.href = url;
  a.target = '_blank';
  a.rel = 'noopener noreferrer nofollow';
  return a;
}

// linked gives a text's pieces: strings, and links.
function linked(text) {
  const pieces = [];
  let end = 0;
  for (const {0: url, index} of text.matchAll(link)) {
    if (!URL.canParse(url)) continue;
    pieces.push(text.slice(end, index), anchor(url, url));
    end = index + url.length;
  }
  return [...pieces, text.slice(end)];
}

// initials of a name, without what a bridge put behind it in brackets.
function initials(name) {
  const words = name.replace(/\s*\[[^\]]*\]\s*$/, '').split(/\s+/u).filter(Boolean);
  const first = word => [...graphemes.segment(word)][0].segment;
  if (words.length === 0) return '?';
  const one = first(words[0]);
  if (words.length === 1 || !/[\p{L}\p{N}]/u.test(one)) return one.toUpperCase();
  return (one + first(words.at(-1))).toUpperCase();
}

// hue gives a person the same colour everywhere.
function hue(id) {
  let h = 0;
  for (const c of id) h = (h * 31 + c.codePointAt(0)) >>> 0;
  return h % 360;
}
