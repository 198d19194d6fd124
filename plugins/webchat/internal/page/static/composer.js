// Where messages are written: what is typed, what is answered or edited, and which
// files go with it.

import {element, icon, bytes} from './messages.js';
import {plain} from './rooms.js';

const $ = id => document.getElementById(id);
const typingEvery = 4_000; // how often it is said that somebody is typing, in ms
const mostFiles = 10;

export class Composer {
  #send; #typing; #lastOwn; #typed = 0;
  #target; // the message that is answered or edited
  #editing = false;
  #draft = ''; // what was written before editing began
  #files = []; // {name, size, request, hash, shown, url, alt}
  maxFile = Infinity;

  // send({text, message, files}) or send({text, message, editing}) returns whether
  // it was taken; typing(whether) is told now and then; lastOwn() is the message that
  // arrow-up edits.
  constructor({send, typing, lastOwn}) {
    this.#send = send;
    this.#typing = typing;
    this.#lastOwn = lastOwn;
    $('composer').addEventListener('submit', event => { event.preventDefault(); this.#submit(); });
    $('text').addEventListener('keydown', event => this.#key(event));
    $('text').addEventListener('input', () => { this.#fit(); this.#tell(); });
    $('text').addEventListener('paste', event => {
      if (event.clipboardData.files.length === 0) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
    $('context-cancel').onclick = () => this.cancel();
    $('attach').onclick = () => $('files').click();
    $('files').onchange = () => { this.add($('files').files); $('files').value = ''; $('text').focus(); };
    this.#drop();
  }

  focus() { $('text').focus(); }

  answer(m) {
    this.cancel();
    this.#target = m;
    this.#context('Answering ', m.author, plain(m) || m.files?.[0]?.name || '');
    this.focus();
  }

  edit(m) {
    this.cancel();
    this.#target = m;
    this.#editing = true;
    this.#draft = $('text').value;
    $('text').value = (m.emote ? '/me ' : '') + m.text;
    this.#context('Editing your message', '', '');
    $('attach').hidden = true;
    this.#fit();
    this.focus();
    $('text').setSelectionRange($('text').value.length, $('text').value.length);
  }

  // cancel ends answering or editing, and says whether there was any.
  cancel() {
    const was = this.#target !== undefined;
    if (this.#editing) $('text').value = this.#draft;
    this.#target = undefined;
    this.#editing = false;
    this.#draft = '';
    $('context').hidden = true;
    $('attach').hidden = false;
    this.#fit();
    return was;
  }

  // gone ends what has to do with a message that is no longer there.
  gone(row) { if (this.#target?.row === row) this.cancel(); }

  #context(doing, author, excerpt) {
    $('context-text').replaceChildren(doing, element('bdi', 'author', author), ' ', element('span', 'excerpt', excerpt));
    $('context').hidden = false;
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      $('composer').requestSubmit();
    } else if (event.key === 'Escape') {
      if (this.cancel()) event.preventDefault();
    } else if (event.key === 'ArrowUp' && $('text').value === '' && !this.#target && this.#lastOwn()) {
      event.preventDefault();
      this.edit(this.#lastOwn());
    }
  }

  #submit() {
    const text = $('text').value.trimEnd(), files = this.#files;
    if (this.#editing) {
      if (!text.trim() && !this.#target.files?.length) return this.problem('A message can’t become empty. Delete it instead.');
      if (this.#send({text, message: this.#target.row, editing: true})) this.cancel();
      return;
    }
    if (files.some(f => f.request)) return this.problem('A file is still on its way.');
    if (!text.trim() && files.length === 0) return this.#send(undefined);
    const taken = this.#send({text, message: this.#target?.row, answered: this.#target, files: files.map(({hash, name, alt, shown, size, width, height}) => ({hash, name, alt, shown, size, width, height}))});
    if (!taken) return;
    for (const f of files) URL.revokeObjectURL(f.url);
    this.#files = [];
    this.#drawFiles();
    $('text').value = '';
    this.cancel();
    this.#typed = 0;
  }

  problem(text) { $('problem').textContent = text; }

  #tell() {
    if (this.#editing) return;
    const writes = $('text').value.trim() !== '';
    if (writes && Date.now() - this.#typed < typingEvery || !writes && !this.#typed) return;
    this.#typed = writes ? Date.now() : 0;
    this.#typing(writes);
  }

  // fit makes the field as high as what is in it, up to what the style allows.
  #fit() {
    $('text').style.height = 'auto';
    $('text').style.height = `${$('text').scrollHeight}px`;
  }

  // --- files ----------------------------------------------------------------

  add(list) {
    this.problem('');
    for (const file of list) {
      if (this.#files.length >= mostFiles) return this.problem(`A message can have ${mostFiles} files.`);
      if (file.size > this.maxFile) {
        this.problem(`${file.name} is larger than ${bytes(this.maxFile)}.`);
        continue;
      }
      this.#upload(file);
    }
  }

  #upload(file) {
    const f = {name: file.name || 'pasted', size: file.size, alt: '', url: file.type.startsWith('image/') ? URL.createObjectURL(file) : undefined};
    const request = f.request = new XMLHttpRequest(); // fetch doesn't tell how far it is
    this.#files.push(f);
    this.#drawFiles();
    const failed = reason => {
      this.problem(`${f.name}: ${reason}.`);
      this.#remove(f);
    };
    request.upload.onprogress = ({loaded, total}) => { f.progress.value = loaded / total; };
    request.onerror = () => failed('the connection was cut');
    request.onload = () => {
      f.request = undefined;
      if (request.status !== 200) return failed(request.responseText.trim() || 'it was not taken');
      Object.assign(f, JSON.parse(request.responseText));
      this.#drawFiles();
    };
    request.open('POST', 'files/');
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.send(file);
  }

  #remove(f) {
    f.request?.abort();
    if (f.url) URL.revokeObjectURL(f.url);
    this.#files = this.#files.filter(g => g !== f);
    this.#drawFiles();
    this.focus();
  }

  #drawFiles() {
    $('attached').hidden = this.#files.length === 0;
    $('attached').replaceChildren(...this.#files.map(f => {
      const li = element('li', 'chip');
      if (f.url && f.shown !== false) {
        const img = element('img', 'thumb');
        img.src = f.url;
        img.alt = '';
        li.append(img);
      }
      const about = element('div', 'about', element('span', 'file-name', f.name), element('span', 'file-size', bytes(f.size)));
      if (f.request) {
        f.progress = element('progress', '');
        f.progress.setAttribute('aria-label', `${f.name} is being uploaded`);
        about.append(f.progress);
      } else if (f.shown) {
        const alt = element('input', 'alt');
        alt.placeholder = 'Describe it';
        alt.setAttribute('aria-label', `Describe ${f.name} for those who don’t see it`);
        alt.maxLength = 500;
        alt.value = f.alt;
        alt.oninput = () => { f.alt = alt.value; };
        about.append(alt);
      }
      const remove = element('button', 'close', icon('M6 4.6 4.6 6l6 6-6 6L6 19.4l6-6 6 6 1.4-1.4-6-6 6-6L18 4.6l-6 6z'));
      remove.type = 'button';
      remove.setAttribute('aria-label', `Don’t send ${f.name}`);
      remove.onclick = () => this.#remove(f);
      li.append(about, remove);
      return li;
    }));
  }

  #drop() {
    let over = 0; // elements that something is dragged over, one in another
    const has = event => event.dataTransfer?.types.includes('Files');
    const show = change => { over = Math.max(0, over + change); $('drop').hidden = over === 0; };
    addEventListener('dragenter', event => { if (has(event)) show(1); });
    addEventListener('dragleave', event => { if (has(event)) show(-1); });
    addEventListener('dragover', event => { if (has(event)) event.preventDefault(); });
    addEventListener('drop', event => {
      if (!has(event)) return;
      event.preventDefault();
      show(-over);
      this.add(event.dataTransfer.files);
      this.focus();
    });
  }
}
