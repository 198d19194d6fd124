// What can be done with a message: by a row of buttons beside it, and by keyboard.

import {element} from './messages.js';
import {plain} from './rooms.js';

const $ = id => document.getElementById(id);
const often = {'👍': 'thumbs up', '❤️': 'heart', '😂': 'laughing', '🎉': 'party', '😮': 'astonished', '😢': 'sad', '🙏': 'thanks', '👀': 'looking',
  '👏': 'applause', '🔥': 'fire', '✅': 'done', '❌': 'no', '🤔': 'thinking', '😄': 'happy', '🚀': 'rocket', '👋': 'waving'};

export class Actions {
  #message; #can; #do; #older; #leave;
  #m; // whose buttons are shown
  #reacting; // the message that the picker is for

  // message(row) is what is known of a message, can(m) says which acts it allows,
  // act(name, m, emoji) does one; older() wants older messages, leave() is where
  // Escape leads.
  constructor({message, can, act, older, leave}) {
    this.#message = message;
    this.#can = can;
    this.#do = act;
    this.#older = older;
    this.#leave = leave;
    this.#pointer();
    $('log').addEventListener('focusin', event => this.#focused(event.target.closest('.message')));
    $('live').addEventListener('keydown', event => this.#key(event));
    $('actions').addEventListener('keydown', event => this.#toolbarKey(event));
    $('actions').addEventListener('click', event => {
      const act = event.target.closest('button')?.dataset.act;
      if (act) this.#act(act, this.#m);
    });
    this.#picker();
    $('confirm-no').onclick = () => $('confirm').close();
  }

  // settle makes the newest message the one that Tab leads to, unless one has the
  // focus.
  settle() {
    if ($('log').contains(document.activeElement)) return;
    this.#lead($('log').querySelector('.message:last-child'));
  }

  #lead(li) {
    for (const other of $('log').querySelectorAll('.message[tabindex="0"]')) other.tabIndex = -1;
    if (li) li.tabIndex = 0;
  }

  hide() {
    $('actions').hidden = true;
    this.#m = undefined;
  }

  #pointer() {
    const over = event => event.target.closest?.('.log:not(.waiting) .message');
    $('log').addEventListener('pointerover', event => {
      if (event.pointerType === 'mouse' && over(event) && !$('actions').contains(document.activeElement)) this.#show(over(event));
    });
    $('scroll').addEventListener('pointerleave', event => {
      if (event.pointerType === 'mouse' && !$('scroll').contains(document.activeElement)) this.hide();
    });
    $('log').addEventListener('click', event => {
      const li = over(event), chip = event.target.closest('.reaction');
      if (chip) return this.#do('react', this.#message(li.dataset.messageId), chip.dataset.emoji);
      if (li && !event.target.closest('a, button')) this.#show(li);
    });
  }

  #focused(li) {
    if (!li) return;
    this.#lead(li);
    this.#show(li);
  }

  #show(li) {
    const m = this.#message(li.dataset.messageId);
    const can = m && !m.deleted ? this.#can(m) : [];
    this.#m = m;
    $('actions').hidden = can.length === 0;
    for (const b of $('actions').children) {
      b.hidden = !can.includes(b.dataset.act);
      b.tabIndex = -1;
    }
    const first = $('actions').querySelector('button:not([hidden])');
    if (first) first.tabIndex = 0;
    // Beside what is said, and above it where there is no room.
    const said = [...li.querySelectorAll('.bubble, .files > li')].map(e => e.getBoundingClientRect());
    if (said.length === 0) said.push(li.querySelector('.body').getBoundingClientRect());
    const left = Math.min(...said.map(r => r.left)), right = Math.max(...said.map(r => r.right));
    const frame = $('scroll').getBoundingClientRect(), own = $('actions').getBoundingClientRect(), gap = 8;
    const x = m?.mine ? left - gap - own.width : right + gap;
    const beside = x > frame.left + gap && x + own.width < frame.right - gap;
    const above = m?.mine ? right - own.width : Math.max(left, Math.min(right, frame.right - gap) - own.width);
    const y = beside ? said[0].top + Math.min(0, (said[0].height - own.height) / 2) : said[0].top - own.height - 2;
    $('actions').style.left = `${(beside ? x : above) - frame.left}px`;
    $('actions').style.top = `${Math.max(y - frame.top + $('scroll').scrollTop, 2)}px`;
  }

  #key(event) {
    const li = event.target.closest('.message');
    if (!li || event.target !== li || event.ctrlKey || event.altKey || event.metaKey) return;
    const all = [...$('log').querySelectorAll('.message')], at = all.indexOf(li);
    const to = {ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1}[event.key];
    if (to !== undefined) {
      event.preventDefault();
      if (to < 0 || event.key === 'Home') this.#older();
      all[Math.min(Math.max(to, 0), all.length - 1)].focus();
      return;
    }
    const m = this.#message(li.dataset.messageId);
    const act = {Enter: 'open', ' ': 'open', r: 'reply', e: 'edit', '+': 'react', Delete: 'delete'}[event.key];
    if (event.key === 'Escape') {
      event.preventDefault();
      this.hide();
      this.#leave();
    } else if (act === 'open') {
      event.preventDefault();
      $('actions').querySelector('button[tabindex="0"]')?.focus();
    } else if (act && m && !m.deleted && this.#can(m).includes(act)) {
      event.preventDefault();
      this.#act(act, m);
    }
  }

  #toolbarKey(event) {
    const all = [...$('actions').querySelectorAll('button:not([hidden])')], at = all.indexOf(event.target);
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1}[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all[(to + all.length) % all.length].focus();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      this.#back();
    }
  }

  #back() { $('log').querySelector(`.message[data-message-id="${Number(this.#m?.row)}"]`)?.focus(); }

  #act(act, m) {
    if (act === 'react') return this.#pick(m);
    if (act !== 'delete') {
      this.hide();
      return this.#do(act, m);
    }
    $('confirm-text').textContent = plain(m) || m.files?.map(f => f.name).join(', ') || '';
    $('confirm-yes').onclick = () => {
      $('confirm').close();
      this.hide();
      this.#do('delete', m);
      this.#leave();
    };
    $('confirm').showModal();
  }

  // --- reactions ------------------------------------------------------------

  #picker() {
    const choose = emoji => {
      $('picker').hidePopover();
      this.#do('react', this.#reacting, emoji);
    };
    $('emoji').append(...Object.entries(often).map(([emoji, name]) => {
      const b = element('button', '', emoji);
      b.type = 'button';
      b.title = name;
      b.setAttribute('aria-label', name);
      b.dataset.emoji = emoji;
      b.onclick = () => choose(emoji);
      return b;
    }));
    $('emoji').addEventListener('keydown', event => {
      const all = [...$('emoji').children], at = all.indexOf(event.target);
      const to = at + ({ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8}[event.key] ?? NaN);
      if (!all[to]) return;
      event.preventDefault();
      all[to].focus();
    });
    $('any').addEventListener('submit', event => {
      event.preventDefault();
      const emoji = $('any-emoji').value.trim();
      if (emoji) choose(emoji);
    });
    $('picker').addEventListener('toggle', event => { if (event.newState === 'closed') this.#back(); });
  }

  #pick(m) {
    this.#reacting = m;
    $('any-emoji').value = '';
    $('picker').showPopover();
    place($('picker'), $('actions'));
    $('emoji').firstElementChild.focus();
  }
}

// place puts a popover beside what it belongs to, within the window.
export function place(popover, anchor) {
  const a = anchor.getBoundingClientRect(), p = popover.getBoundingClientRect(), gap = 6;
  const below = a.bottom + gap + p.height < innerHeight;
  popover.style.top = `${Math.max(8, below ? a.bottom + gap : a.top - gap - p.height)}px`;
  popover.style.left = `${Math.max(8, Math.min(a.right - p.width, innerWidth - p.width - 8))}px`;
}
