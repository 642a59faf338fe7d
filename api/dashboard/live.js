// The live page: asks /api/v1/live once a second and writes what it says. Nothing is kept but the key of this tab.

const BEAT_MS = 1000;
const PATIENCE_MS = 5000;
const KEY = "tradingsystem-key";
const WORDS = { ok: "OK", behind: "Behind", suspended: "Suspended", away: "Away", up: "Up", down: "Down", ill: "Ill",
  open: "Open", proven: "Proven", unproven: "Unproven", missing: "Missing", filled: "Filled", vacant: "Unused", unfillable: "Unfillable" };
const COLOURS = { ok: "ok", up: "ok", behind: "wait", ill: "wait", suspended: "bad", away: "bad", down: "bad",
  proven: "ok", filled: "ok", vacant: "ok", open: "wait", missing: "wait", unproven: "bad", unfillable: "bad" };

const at = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en-US", { maximumFractionDigits: 4 });
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const clock = new Intl.DateTimeFormat("en-GB", {
  timeZone: "America/Sao_Paulo", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
});
const moment = new Intl.DateTimeFormat("en-GB", {
  timeZone: "America/Sao_Paulo", day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

let seen = new Set();
let before = new Map();
let lostAt = null;
let tapeShown = "";

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Screen readers are told of a change of words, not of every beat.
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function badge(state) {
  const made = element("span", "badge", WORDS[state] ?? state);
  made.dataset.state = COLOURS[state] ?? "bad";
  return made;
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

function priced(price) {
  return price < 1000 ? cents.format(price) : exact.format(price);
}

function fact(name, text) {
  const made = element("div");
  made.append(element("dt", "", name), element("dd", "", text));
  return made;
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) { bytes /= 1000; step += 1; }
  return `${bytes.toFixed(bytes < 10 && step ? 1 : 0)} ${units[step]}`;
}

function age(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

function showFlow(pulse) {
  const rate = pulse.ticks_per_second;
  say(at("rate"), rate === null ? (pulse.rows === null ? "–" : "0") : whole.format(rate));
  say(at("peak"), pulse.rates.length ? `${whole.format(Math.max(...pulse.rates))} /s` : "–");
  say(at("mean"), pulse.rates.length ? `${whole.format(sum(pulse.rates) / pulse.rates.length)} /s` : "–");
  say(at("newest"), pulse.last_ts ? moment.format(new Date(pulse.last_ts)) : "none");
  document.title = `${rate === null ? "–" : whole.format(rate)}/s · TradingSystem`;
  drawSpark(pulse.rates);
}

function drawSpark(rates) {
  const top = Math.max(1, ...rates);
  const first = 119 - Math.max(0, rates.length - 1);
  const points = rates.map((rate, index) => `${first + index},${(43 - (rate / top) * 41).toFixed(2)}`);
  const line = points.length ? `M${points.join("L")}` : "M0,43L119,43";
  at("spark-line").setAttribute("d", line);
  at("spark-area").setAttribute("d", points.length ? `${line}L119,44L${first},44Z` : "");
}

function showTiers(tiers) {
  at("tiers").replaceChildren(...tiers.map((tier) => {
    const item = element("li");
    const head = element("div", "head");
    head.append(element("span", "name", tier.tier), badge(tier.state));
    const rows = element("p", "count", tier.rows === null ? "–" : whole.format(tier.rows));
    rows.append(" ", element("small", "", tier.rows === null ? "rows not known" : "rows"));
    const facts = element("dl", "facts");
    if (tier.lag_seconds !== null) facts.append(fact("synced", age(tier.lag_seconds)));
    if (tier.days !== null) facts.append(fact("days", whole.format(tier.days)));
    if (tier.bytes !== null) facts.append(fact("on disk", size(tier.bytes)));
    item.append(head, rows, element("p", "detail", tier.detail), facts);
    return item;
  }));
}

function idOf(trade) {
  return `${trade.symbol} ${trade.trade_id} ${trade.ts}`;
}

function showTrades(trades) {
  const ids = new Set((trades ?? []).map(idOf));
  const fresh = [...ids].filter((id) => !seen.has(id)).length;
  const flash = seen.size > 0 && fresh <= ids.size / 2; // when all rows are new, the light would only flicker
  const rows = (trades ?? []).map((trade) => {
    const row = element("tr", trade.cancelled ? "cancelled" : flash && !seen.has(idOf(trade)) ? "new" : "");
    const [second, fraction] = clock.format(new Date(trade.ts)).split(".");
    const time = element("td", "", second);
    time.append(element("span", "fraction", `.${fraction}`));
    const side = { BUYER: "buyer", SELLER: "seller" }[trade.aggressor] ?? "";
    row.append(
      time,
      element("td", "symbol", trade.symbol),
      element("td", "number", priced(trade.price)),
      element("td", "number", whole.format(trade.quantity)),
      element("td", side, trade.cancelled ? "cancelled" : (trade.aggressor ?? "not told").toLowerCase()),
    );
    return row;
  });
  seen = ids;
  at("trades").replaceChildren(...rows);
  at("trades-empty").hidden = rows.length > 0;
}

function showPrices(prices) {
  const now = new Map();
  at("prices").replaceChildren(...(prices ?? []).map((entry) => {
    const last = before.get(entry.symbol);
    const change = last === undefined ? null : entry.price - last.price;
    const trend = change === null ? "" : change > 0 ? "buyer" : change < 0 ? "seller" : last.trend;
    now.set(entry.symbol, { price: entry.price, trend });
    const arrow = { buyer: "▲ ", seller: "▼ " }[trend] ?? "";
    const item = element("li");
    item.append(element("span", "symbol", entry.symbol), element("span", `price ${trend}`, arrow + priced(entry.price)));
    return item;
  }));
  before = now;
  at("prices-empty").hidden = now.size > 0;
}

function showEngines(engines) {
  at("engines").replaceChildren(...engines.map((engine) => {
    const item = element("li");
    const what = element("span", "what", engine.title);
    if (engine.state !== "up") what.append(element("small", "", engine.detail));
    item.append(what, badge(engine.state));
    return item;
  }));
}

// Drawn anew only when it changed: a story that somebody opened stays open.
function showTape(sessions, gaps) {
  const news = JSON.stringify([sessions, gaps]);
  if (news === tapeShown) return;
  tapeShown = news;
  const open = new Set([...document.querySelectorAll("#gaps details[open]")].map((each) => each.dataset.gap));
  at("sessions").replaceChildren(...(sessions ?? []).map((session) => {
    const item = element("li");
    const what = element("span", "what", `${session.symbol} · ${session.session}`);
    what.append(element("small", "", `${whole.format(session.trades)} trades; ${session.reason}`));
    item.append(what, badge(session.state));
    return item;
  }));
  at("gaps").replaceChildren(...(gaps ?? []).map((gap) => {
    const item = element("li");
    const details = element("details");
    details.dataset.gap = String(gap.id);
    details.open = open.has(details.dataset.gap);
    const summary = element("summary");
    const left = gap.ids ? `${whole.format(gap.ids_left)} of ${whole.format(gap.ids)} missing` : "number not known";
    const what = element("span", "what", `${gap.symbol} · ${gap.session} · ${gap.kind}`);
    what.append(element("small", "", [left, gap.cause, gap.filled_by].filter(Boolean).join("; ")));
    summary.append(what, badge(gap.state));
    const story = element("ol");
    story.append(...gap.story.map((told) => element("li", "", `${moment.format(new Date(told.at))} ${told.event}: ${told.words}`)));
    details.append(summary, story);
    item.append(details);
    return item;
  }));
  at("sessions-empty").hidden = sessions === null || sessions.length > 0;
  at("gaps-empty").hidden = gaps === null || gaps.length > 0;
}

function show(pulse) {
  showFlow(pulse);
  showTiers(pulse.tiers);
  showTrades(pulse.trades);
  showPrices(pulse.prices);
  showEngines(pulse.engines);
  showTape(pulse.sessions, pulse.gaps);
  at("made").dateTime = pulse.made_at;
  at("made").textContent = `${moment.format(new Date(pulse.made_at))} (São Paulo)`;
}

function linkIs(state, words) {
  say(at("link"), words);
  at("link").dataset.state = state;
  at("main").classList.toggle("stale", state !== "ok");
}

function lost(reason) {
  lostAt ??= Date.now();
  linkIs("bad", `Disconnected: ${reason}; trying again`);
  document.title = "Disconnected · TradingSystem";
}

async function beat() {
  const key = sessionStorage.getItem(KEY);
  const answer = await fetch("/api/v1/live", {
    headers: key ? { "X-API-Key": key } : {},
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  at("door").hidden = answer.status !== 401;
  if (answer.status === 401) {
    at("door-note").textContent = key ? "That key is not known here." : "";
    sessionStorage.removeItem(KEY);
    linkIs("wait", "Waiting for a key");
    return;
  }
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  show((await answer.json()).data);
  lostAt = null;
  linkIs("ok", "Live");
}

async function run() {
  for (;;) {
    const began = performance.now();
    if (!document.hidden && (at("door").hidden || sessionStorage.getItem(KEY))) {
      try {
        await beat();
      } catch (error) {
        lost(error.name === "TimeoutError" ? "no answer" : error instanceof TypeError ? "no connection" : error.message);
      }
    }
    const pause = lostAt === null ? BEAT_MS : Math.min(5000, BEAT_MS + (Date.now() - lostAt) / 10);
    await new Promise((wake) => setTimeout(wake, Math.max(100, pause - (performance.now() - began))));
  }
}

at("door").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("key").value);
  at("key").value = "";
});

run();
