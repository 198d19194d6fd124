// What the page knows of a room, and how each change makes something else of it. To
// apply a change twice does no harm: what the chat sends at first may have some of
// the changes in it that follow.

export class Room {
  row; // the last that we have
  messages = []; // in order
  byRow = new Map();
  more = false; // there are older ones
  loading = false; // and they were asked for
  members = new Map(); // id -> name
  typing = []; // names
  unread = 0;

  // begin takes the newest messages, as they stand.
  begin({messages = [], more = false, row = 0}) {
    this.messages = messages;
    this.byRow = new Map(messages.map(m => [m.row, m]));
    this.more = more;
    this.row = row;
  }

  // older takes messages that are older than all others, and returns what is new.
  older({messages = [], more = false}) {
    this.loading = false;
    this.more = more;
    const fresh = messages.filter(m => !this.byRow.has(m.row));
    this.messages.unshift(...fresh);
    for (const m of fresh) this.byRow.set(m.row, m);
    return fresh;
  }

  // forget drops the oldest messages but for the last most.
  forget(most) {
    for (const m of this.messages.splice(0, Math.max(0, this.messages.length - most))) {
      this.byRow.delete(m.row);
      this.more = true;
    }
  }

  // apply returns the message that is new, or those that look otherwise.
  apply(change) {
    this.row = Math.max(this.row ?? 0, change.row);
    const m = this.byRow.get(change.about);
    switch (change.kind) {
      case 'said':
        this.messages.push(change.message);
        this.byRow.set(change.row, change.message);
        return {added: change.message};
      case 'edited': {
        const {text, segments, files, emote} = change.message;
        if (m) Object.assign(m, {text, segments, files, emote, edited: true});
        return {changed: this.#with(m, change.about, plain(change.message))};
      }
      case 'deleted':
        if (m) Object.assign(m, {text: '', segments: undefined, files: undefined, reactions: undefined, deleted: true});
        return {changed: this.#with(m, change.about, '')};
      case 'reacted':
      case 'unreacted':
        if (m) react(m, change);
        return {changed: m ? [m] : []};
      case 'joined':
      case 'renamed':
        this.members.set(change.by.id, change.by.name);
        return {members: true};
      case 'left':
        this.members.delete(change.by.id);
        return {members: true};
    }
    return {}; // of a newer chat
  }

  // with gives a message and those that answer it, which show how it begins.
  #with(m, row, text) {
    const answers = this.messages.filter(a => a.reply?.row === row);
    for (const a of answers) a.reply.text = text.slice(0, 140);
    return m ? [m, ...answers] : answers;
  }
}

function react(m, {kind, emoji, by}) {
  let all = (m.reactions ?? []).map(r => r.emoji === emoji ? {emoji, by: r.by.filter(p => p.id !== by.id)} : r);
  if (kind === 'reacted') {
    const r = all.find(r => r.emoji === emoji);
    if (r) r.by.push(by); else all.push({emoji, by: [by]});
  }
  m.reactions = all.filter(r => r.by.length > 0);
}

// plain is a message's words without signs of formatting.
export const plain = m => m.segments?.map(s => s.text).join('') ?? m.text;
