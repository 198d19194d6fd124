// The demo's page: shows the state that the demo tells, and posts what buttons want.

const $ = id => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit', second: '2-digit'});
let state;

function draw() {
  if (!state) return;
  card('host', state.host, []);
  for (const plug of state.plugs) {
    card(plug.name, plug, plug.restarts ? [`started again ${plug.restarts === 1 ? 'once' : `${plug.restarts} times`}`] : []);
    $(plug.name).querySelector('.open').href = plug.address;
  }
  const down = state.host.pid === 0;
  enable('kill host', !down);
  enable('stop host', !down);
  enable('start host', down);
  for (const {name, pid, frozen} of state.plugs) {
    enable(`kill ${name}`, pid !== 0);
    enable(`freeze ${name}`, pid !== 0 && !frozen);
    enable(`thaw ${name}`, pid !== 0 && frozen);
  }
}

function card(id, {state: word, words, pid, since, frozen}, more) {
  const section = $(id);
  section.dataset.state = frozen ? 'frozen' : word;
  section.dataset.pid = pid;
  set(section.querySelector('.words'), frozen ? 'is frozen' : words);
  const facts = pid ? [`process ${pid}`] : ['no process'];
  if (since) facts.push(`for ${span(Date.now() - since)}`);
  set(section.querySelector('.facts'), [...facts, ...more].join(' · '));
}

// set leaves alone what is as it was, so that it is not read out again.
function set(element, text) { if (element.textContent !== text) element.textContent = text; }

function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  return s < 120 ? `${s} s` : s < 7200 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h`;
}

function enable(line, may) { document.querySelector(`[data-line="${line}"]`).disabled = !may; }

function drawLines() {
  $('lines').replaceChildren(...state.lines.toReversed().map(({time, text}) => {
    const li = document.createElement('li'), at = document.createElement('time');
    at.dateTime = new Date(time).toISOString();
    at.textContent = clock.format(time);
    li.append(at, text);
    return li;
  }));
}

const events = new EventSource('state'); // it comes back by itself
events.onopen = () => connected(true);
events.onerror = () => connected(false);
events.onmessage = ({data}) => {
  const before = JSON.stringify(state?.lines);
  state = JSON.parse(data);
  state.lines ??= [];
  draw();
  if (JSON.stringify(state.lines) !== before) drawLines();
};
setInterval(draw, 1000);

function connected(is) {
  document.body.classList.toggle('gone', !is);
  $('connection').textContent = is ? '' : 'The demo doesn’t answer. If it has ended, close this page.';
}

for (const button of document.querySelectorAll('[data-line]')) {
  button.disabled = true; // until the state is known
  button.onclick = async () => {
    $('problem').textContent = '';
    try {
      const answer = await fetch('command', {method: 'POST', body: new URLSearchParams({line: button.dataset.line})});
      if (!answer.ok) $('problem').textContent = await answer.text();
    } catch {
      $('problem').textContent = 'The demo doesn’t answer.';
    }
  };
}
