// A real browser, commanded by JSON lines on stdin, one answer line each.
import {createInterface} from 'node:readline';
import {createRequire} from 'node:module';

const {chromium} = createRequire(process.env.PLAYWRIGHT_FROM + '/')('playwright-core');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const pages = new Map();
const timeout = Number(process.env.PAGE_TIMEOUT_MS ?? 60000);

const commands = {
  async open({page, url, width, height, scheme}) {
    const context = await browser.newContext({viewport: {width, height}, colorScheme: scheme ?? 'light', serviceWorkers: 'block'});
    const p = await context.newPage();
    p.errors = [];
    p.on('pageerror', e => p.errors.push(String(e)));
    p.on('console', m => { if (m.type() === 'error' && !/WebSocket|ERR_CONNECTION/.test(m.text())) p.errors.push(m.text()); });
    p.setDefaultTimeout(timeout);
    pages.set(page, p);
    await p.goto(url);
  },
  async fill({page, selector, text}) { await pages.get(page).fill(selector, text); },
  async press({page, selector, key}) { await pages.get(page).press(selector, key); },
  async click({page, selector}) { await pages.get(page).click(selector); },
  async wait({page, selector, state}) { await pages.get(page).waitForSelector(selector, {state: state ?? 'visible'}); },
  // count waits until as many elements with exactly this text are there.
  async count({page, selector, text, atLeast}) {
    const p = pages.get(page);
    const all = () => p.$$eval(selector, (es, text) => es.filter(e => e.textContent === text).length, text);
    const end = Date.now() + timeout;
    for (;;) {
      const n = await all();
      if (n >= atLeast || Date.now() > end) return n;
      await p.waitForTimeout(50);
    }
  },
  async texts({page, selector}) { return pages.get(page).$$eval(selector, es => es.map(e => e.textContent)); },
  async offline({page, offline}) { await pages.get(page).context().setOffline(offline); },
  // key and insert act on whatever has the focus.
  async key({page, key}) { await pages.get(page).keyboard.press(key); },
  async insert({page, text}) { await pages.get(page).keyboard.insertText(text); },
  async hover({page, selector}) { await pages.get(page).hover(selector); },
  async upload({page, selector, paths}) { await pages.get(page).setInputFiles(selector, paths); },
  async evaluate({page, expression}) { return pages.get(page).evaluate(expression); },
  // until waits for an expression to be true. The page's policy forbids Playwright's
  // own way, which evaluates within the page.
  async until({page, expression}) {
    const p = pages.get(page);
    for (const end = Date.now() + timeout; ;) {
      if (await p.evaluate(expression)) return;
      if (Date.now() > end) throw new Error('not in time');
      await p.waitForTimeout(50);
    }
  },
  async screenshot({page, path}) { await pages.get(page).screenshot({path}); },
  async errors({page}) { return pages.get(page).errors; },
};

for await (const line of createInterface({input: process.stdin})) {
  const {do: name, ...args} = JSON.parse(line);
  try {
    console.log(JSON.stringify({value: (await commands[name](args)) ?? null}));
  } catch (e) {
    console.log(JSON.stringify({error: String(e)}));
  }
}
await browser.close();
