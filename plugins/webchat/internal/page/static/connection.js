// One WebSocket to the chat, kept open: it comes back by itself, later each time,
// and finds out when it is open in name only.

const connectPatience = 10_000; // from dialling to the welcome, in milliseconds
const silence = 50_000; // the chat is heard of every 20 s
const firstPause = 250, longestPause = 5_000;

export class Connection {
  #hello; #answered; #changed;
  #socket; #attempts = 0; #pause; #watch; #locked = false;

  // hello() is the first frame of each connection, answered(frame) gets what comes,
  // changed(state) gets "connecting", "open", "closed", and "locked" when the chat
  // wants the password: then it waits for unlocked().
  constructor({hello, answered, changed}) {
    this.#hello = hello;
    this.#answered = answered;
    this.#changed = changed;
    const now = () => { if (!this.#socket && !this.#locked) this.#connect(); };
    addEventListener('online', now);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) now(); });
    this.#connect();
  }

  // send returns whether there was somebody to send it to. Whether it arrived, only
  // an answer tells.
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  // unlocked says that the password was taken.
  unlocked() {
    this.#locked = false;
    if (!this.#socket) this.#connect();
  }

  #connect() {
    clearTimeout(this.#pause);
    this.#changed('connecting');
    const socket = new WebSocket(new URL('ws', location.href.replace(/^http/, 'ws')));
    this.#socket = socket;
    this.#heard(connectPatience);
    socket.onopen = () => this.send(this.#hello());
    socket.onclose = () => this.#lost(socket);
    socket.onmessage = event => {
      if (socket !== this.#socket) return;
      const answer = JSON.parse(event.data);
      this.#heard(silence);
      if (answer.type === 'alive') return this.send({type: 'alive'});
      if (answer.type === 'locked') this.#locked = true;
      if (answer.type === 'welcome') {
        this.#attempts = 0;
        this.#changed('open');
      }
      this.#answered(answer);
    };
  }

  // heard gives the chat until then to be heard of again.
  #heard(patience) {
    const socket = this.#socket;
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      socket.close();
      this.#lost(socket); // the other end may never answer the close
    }, patience);
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    clearTimeout(this.#watch);
    if (this.#locked) return this.#changed('locked');
    this.#changed('closed');
    // Not all pages at once, after the chat was down.
    const pause = Math.min(longestPause, firstPause * 2 ** this.#attempts++) * (0.5 + Math.random() / 2);
    this.#pause = setTimeout(() => this.#connect(), pause);
  }
}
