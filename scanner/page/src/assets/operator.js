// The operator's page: asks for the state once a second and draws it. It decides nothing and keeps nothing. What did not change is
// left alone, so that nothing moves under a hand.
"use strict";

const card = (key, value, note, warn, wide) =>
  make("div", { class: `card${warn ? " warn" : ""}${wide ? " wide" : ""}` }, make("small", {}, say(key)), make("b", {}, String(value)), note ? make("small", {}, note) : null);
const fixed = (value, digits, unit = "") => (value === null || value === undefined ? "–" : value.toFixed(digits) + unit);

const shares = (verdicts) => {
  const bar = make("div", { class: "share" });
  for (const verdict of ["admit", "refer", "refuse"]) {
    const share = verdicts[verdict] || 0;
    const part = make("i", { class: verdict, title: `${say("tag." + verdict)} ${(share * 100).toFixed(1)} %` });
    part.style.width = `${share * 100}%`;
    bar.append(part);
  }
  return bar;
};

const plot = (steps) => {
  const top = Math.max(1, ...steps);
  const svg = make("svg", { class: "steps", viewBox: `0 0 ${steps.length * 4} 40`, preserveAspectRatio: "none" });
  steps.forEach((count, index) => {
    const height = (count / top) * 38;
    svg.append(make("rect", { x: index * 4, y: 40 - height, width: 3, height }));
  });
  return svg;
};

// How long verdicts took: a bar for each step of time (its end in milliseconds, none for the last), those beyond the budget striking.
const BUDGET = 150;
const spread = (times) => {
  const top = Math.max(1, ...times.map(([, count]) => count));
  const told = times.map(([end, count], at) => `${end ? `≤ ${end}` : `> ${times[at - 1][0]}`} ms: ${count}`).join(", ");
  const chart = make("div", { class: "times", role: "img", "aria-label": told });
  times.forEach(([step, count]) => {
    const end = step ?? Infinity;
    const bar = make("i", { class: end > BUDGET ? "late" : "" });
    bar.style.height = `${(count / top) * 100}%`;
    chart.append(make("span", {}, make("u", {}, bar), make("small", {}, Number.isFinite(end) ? `${end}` : "∞")));
  });
  return chart;
};

// What an officer made of a scan.
const byHand = (scan) =>
  (scan.by_hand ? make("span", { class: `tag ${scan.by_hand}` }, `${say("override.by_hand")} ${say("tag." + scan.by_hand)}`) : null);

const reasons = (counts) =>
  Object.entries(counts).sort((one, other) => other[1] - one[1]).slice(0, 4).map(([reason, count]) => `${say("why." + reason) || reason} ${count}`).join(" · ");

// A region as its people call it. What a fault names may be a region's code.
const region = (code, lists) => {
  const list = lists.find((list) => list.issuer === code);
  return list ? `${named(list.issuer, list.names)} ${code}` : code;
};
// What needs a hand comes first: what it is, where, what to do next; a command only for who opens the fold.
const fault = (fault, lists) => {
  const where = (fault.detail || "").replace(/\b\d{6}\b/g, (code) => region(code, lists));
  const command = words[`command.${fault.code}`];
  return make("div", { "data-key": `${fault.code} ${fault.detail || ""}` },
    make("strong", {}, say(`fault.${fault.code}`)), make("span", {}, where ? ` ${where} — ` : " — ", say(`fault.${fault.code}.do`)),
    command ? make("details", {}, make("summary", {}, say("command.show")), make("code", {}, command)) : null);
};

const lane = (lane) => {
  const times = lane.time_to_verdict_ms;
  const camera = [`${fixed(lane.frames_per_second, 0)} fps`, lane.no_read ? `${say("operator.no_read")} ${say("no-read." + lane.no_read)}, ${age(lane.no_read_age_s)}` : null];
  return make("div", { "data-key": lane.lane }, make("h2", {}, `${say("operator.lane")} ${lane.lane}`),
    make("div", { class: "lane" },
      card("operator.per_minute", fixed(lane.per_minute, 1), lane.cycle_s === null ? null : `${say("operator.cycle")} ${lane.cycle_s.toFixed(1)} s`),
      card("operator.time_to_verdict", times ? `${times[0].toFixed(0)} ms` : "–", times ? `p95 ${times[1].toFixed(0)} · p99 ${times[2].toFixed(0)} ms` : null, times && times[1] > BUDGET),
      card("operator.camera", say(lane.camera_up ? "operator.up" : "operator.down"), camera.filter(Boolean).join(" · "), !lane.camera_up),
      make("div", { class: "card wide" }, make("small", {}, say("operator.shares")), shares(lane.verdicts), make("small", {}, reasons(lane.reasons))),
      make("div", { class: "card wide" }, make("small", {}, say("operator.times")), spread(lane.times)),
      make("div", { class: "card wide" }, make("small", {}, say("operator.steps")), plot(lane.steps))));
};

const queue = ({ queue, log, sync }) => [
  card("operator.per_minute", fixed(queue.per_minute, 1)),
  card("operator.utilisation", queue.utilisation === null ? "–" : `${(queue.utilisation * 100).toFixed(0)} %`, null, queue.open_one_more),
  card("operator.wait", fixed(queue.wait_s, 1, " s"), queue.open_one_more ? say("operator.open_one_more") : null, queue.open_one_more),
  card("operator.log", log.rows ?? "–", [
    `${say("operator.outbox")} ${log.outbox_pending ?? "–"}`,
    ...["outbox_dead", "given_up", "failed"].filter((what) => log[what]).map((what) => `${say("operator." + what)} ${log[what]}`),
    log.upload_waits,
  ].filter(Boolean).join(" · "), log.outbox_dead || log.given_up || log.failed),
  card("operator.sync", sync.last_success ? age(sync.age_s) : "–", sync.last_result || null),
];

const scan = (scan, lists) => make("tr", { "data-key": scan.scan || `${scan.time} ${scan.lane}` },
  make("td", {}, clock(scan.time)), make("td", {}, scan.lane), make("td", {}, make("span", { class: `tag ${scan.verdict}` }, say("tag." + scan.verdict))),
  make("td", {}, say("why." + scan.reason) || scan.reason), make("td", {}, scan.issuer ? region(scan.issuer, lists) : ""), make("td", {}, byHand(scan)));

const list = (list) => make("tr", { "data-key": list.issuer },
  make("td", {}, list.issuer), make("td", {}, named(list.issuer, list.names)), make("td", {}, make("span", { class: `tag ${list.freshness}` }, say("fresh." + list.freshness))),
  make("td", {}, age(list.age_s)), make("td", {}, String(list.generation ?? "")));

// What happened today, by quarters of an hour of the station's day: bars from midnight to midnight. A quarter without anything has none.
const QUARTER = 900000;
const bars = (key, quarters, midnight, parts) => {
  const sums = quarters.map((quarter) => parts.reduce((sum, [of]) => sum + (of(quarter) ?? 0), 0)), top = Math.max(...sums, 0);
  const svg = make("svg", { class: "day", viewBox: "0 0 960 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  quarters.forEach((quarter) => {
    let at = 100;
    for (const [of, kind] of parts) {
      const height = top > 0 ? ((of(quarter) ?? 0) / top) * 96 : 0;
      at -= height;
      svg.append(make("rect", { class: kind, x: ((quarter.from_ms - midnight) / QUARTER) * 10 + 1, y: at, width: 8, height },
        make("title", {}, `${clock(quarter.from_ms)}: ${Math.round(of(quarter) ?? 0)}`)));
    }
  });
  const most = sums.indexOf(top);
  const told = top > 0 ? `${say("operator.most")} ${Math.round(top)}, ${clock(quarters[most].from_ms)}` : say("operator.none");
  const hours = [0, 3, 6, 9, 12, 15, 18, 21].map((hour) => make("span", {}, String(hour)));
  return make("figure", { "data-key": key }, make("figcaption", {}, `${say(key)}: ${told}`), svg, make("div", { class: "hours", "aria-hidden": "true" }, hours));
};
const today = ({ today, time }) => {
  const midnight = new Date(time).setHours(0, 0, 0, 0), quarters = today.filter((quarter) => quarter.from_ms >= midnight);
  const sum = (of) => quarters.reduce((sum, quarter) => sum + quarter[of], 0);
  const all = ["admit", "refer", "refuse"].map((verdict) => `${say("tag." + verdict)} ${sum(verdict)}`);
  return [
    make("p", {}, [...all, `${say("override.by_hand")} ${sum("by_hand")}`].join(" · ")),
    make("div", { class: "days" },
      bars("operator.today.verdicts", quarters, midnight, [[(one) => one.admit, "admit"], [(one) => one.refer, "refer"], [(one) => one.refuse, "refuse"]]),
      bars("operator.today.wait", quarters, midnight, [[(one) => one.wait_s, "plain"]]),
      bars("operator.today.time", quarters, midnight, [[(one) => (one.time_to_verdict_ms || [])[1], "plain"]])),
  ];
};

const draw = (state) => {
  element("place").textContent = state.checkpoint;
  element("now").textContent = `${clock(state.time)} · ${say("clock." + state.time_trust)}`;
  element("build").textContent = state.build;
  fill("faults", state.faults.map((one) => fault(one, state.lists)));
  fill("queue", queue(state));
  fill("lanes", state.lanes.map(lane));
  fill("today", today(state));
  fill("recent", state.recent.filter((one) => one.verdict !== "admit" || one.by_hand).map((one) => scan(one, state.lists)));
  const old = state.lists.filter((one) => one.freshness !== "fresh"), fresh = state.lists.length - old.length;
  fill("lists", old.map(list));
  element("fresh").textContent = say(old.length ? "operator.fresh" : "operator.all-fresh", fresh);
};

const ask = async () => {
  try {
    const answer = await fetch("/status.json");
    if (answer.ok) draw(await answer.json());
    document.body.classList.remove("away");
  } catch {
    // What stands here is old from now on, and says so.
    document.body.classList.add("away");
    element("now").textContent = say("state.connecting");
  }
  setTimeout(ask, 1000);
};

element("proof").addEventListener("toggle", () => {
  if (element("proof").open) element("attestation").src = `/attestation.svg?${Date.now()}`;
});
speak().then(ask);
