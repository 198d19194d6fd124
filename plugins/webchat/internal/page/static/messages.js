// How a message looks. Everything that somebody wrote becomes a text node: nothing
// here makes HTML of it.

const timeOf = new Intl.DateTimeFormat(undefined, {hour: 'numeric', minute: '2-digit'});
const dayOf = new Intl.DateTimeFormat(undefined, {weekday: 'long', day: 'numeric', month: 'long'});
const wholeTime = new Intl.DateTimeFormat(undefined, {dateStyle: 'full', timeStyle: 'medium'});
const graphemes = new Intl.Segmenter();

const together = 5 * 60_000; // messages of one author this close are one group
const link = /https?:\/\/[^\s<>"']*[^\s<>"'.,:;!?)\]}]/g;
const fewEmoji = /^(?:\p{RGI_Emoji}\s*){1,3}$/v;

export function element(tag, className, ...children) {
  const e = document.createElement(tag);
  e.className = className;
  e.append(...children);
  return e;
}

// List shows messages in a list element, one behind the other, grouped and with a
// line for each new day. It keeps the last most, and forgets what is older.
export class List {
  #ol; #before; #most;
  last; // the message shown last

  // before is the list that stands above this one, and makes its days.
  constructor(ol, {before, most = Infinity} = {}) {
    this.#ol = ol;
    this.#before = before;
    this.#most = most;
  }

  get size() { return this.#ol.childElementCount; }

  clear() {
    this.#ol.replaceChildren();
    this.last = undefined;
  }

  append(m) {
    let previous = this.size ? this.last : this.#before?.last;
    if (!this.#before && dayOf.format(previous?.time ?? 0) !== dayOf.format(m.time)) {
      this.#ol.append(element('li', 'day', dayName(m.time)));
      previous = undefined;
    }
    const follows = previous && previous.author_id === m.author_id && previous.author === m.author && m.time - previous.time < together;
    const li = message(m, follows);
    this.#ol.append(li);
    this.last = m;
    while (this.size > this.#most) this.#ol.firstElementChild.remove();
    return li;
  }
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
  if (m.row) li.dataset.messageId = m.row;
  li.dataset.author = m.author;
  li.dataset.text = m.text;

  const avatar = element('span', 'avatar', initials(m.author));
  avatar.setAttribute('aria-hidden', 'true');
  avatar.style.setProperty('--hue', hue(m.author_id));
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
  const bubble = element('div', 'bubble', ...linked(m.text));
  bubble.dir = 'auto';
  bubble.title = time.title;
  bubble.classList.toggle('emoji', fewEmoji.test(m.text));
  li.append(avatar, element('div', 'body', by, bubble));
  return li;
}

// linked gives a text's pieces: strings, and links.
function linked(text) {
  const pieces = [];
  let end = 0;
  for (const {0: url, index} of text.matchAll(link)) {
    if (!URL.canParse(url)) continue;
    const a = element('a', '', url);
    a.href = url;
    a.target = '_blank';
    a.rel = 'noopener noreferrer nofollow';
    pieces.push(text.slice(end, index), a);
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
