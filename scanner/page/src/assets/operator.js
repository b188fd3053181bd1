// The operator's page: asks for the state once a second and draws it. It decides nothing and keeps nothing.
"use strict";

let words = {};
const say = (key) => words[key] ?? key;
const element = (id) => document.getElementById(id);
const make = (tag, attributes = {}, ...children) => {
  const made = document.createElementNS(tag === "svg" || tag === "rect" ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};
const card = (key, value, note, warn, wide) =>
  make("div", { class: `card${warn ? " warn" : ""}${wide ? " wide" : ""}` }, make("small", {}, say(key)), make("b", {}, value), note ? make("small", {}, note) : null);
const fixed = (value, digits, unit = "") => (value === null || value === undefined ? "–" : value.toFixed(digits) + unit);
const age = (seconds) => {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
};

const ago = (seconds) => (seconds < 120 ? `${seconds} s` : age(seconds));

const shares = (verdicts) => {
  const bar = make("div", { class: "share" });
  for (const verdict of ["admit", "refer", "refuse"]) {
    const share = verdicts[verdict] || 0;
    const part = make("i", { class: verdict, title: `${say("verdict." + verdict)} ${(share * 100).toFixed(1)} %` });
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

// What an officer made of a scan, or the way to say so.
const byHand = (scan) => {
  if (scan.by_hand) return make("span", { class: `tag ${scan.by_hand}` }, `${say("override.by_hand")} ${say("verdict." + scan.by_hand)}`);
  if (!scan.scan) return null;
  const button = make("button", { type: "button", class: "override" }, say("override.title"));
  button.addEventListener("click", () => {
    element("override").dataset.scan = scan.scan;
    element("override-scan").textContent = `${scan.time.slice(11, 19)} · ${say("operator.lane")} ${scan.lane} · ${say("verdict." + scan.verdict)} · ${say("why." + scan.reason) || scan.reason}`;
    element("override-verdict").value = scan.verdict === "admit" ? "refuse" : "admit";
    element("override-passphrase").value = "";
    element("override-said").textContent = "";
    listRoles();
    element("override").showModal();
  });
  return button;
};

// What the officer says is signed here, with the officer's own key; the daemon never has it.
const send = async () => {
  const value = (name) => element(`override-${name}`).value;
  const said = (key) => { element("override-said").textContent = say(key); };
  const word = { scan: element("override").dataset.scan, verdict: value("verdict"), role: value("role"), why: value("why") };
  const passphrase = value("passphrase");
  element("override-passphrase").value = "";
  try {
    const signed = await Officer.sign(word, passphrase);
    const answer = await fetch("/override", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(signed) });
    if (answer.ok) element("override").close();
    else said(`override.said.${answer.status}`);
  } catch (error) {
    said(error.name === "OperationError" ? "override.said.passphrase" : error.name === "NotSupportedError" ? "override.said.old" : "state.connecting");
  }
};

const listRoles = async () => {
  const roles = await Officer.roles();
  element("override-role").replaceChildren(...(roles.length ? roles : [""]).map((role) => make("option", { value: role }, role || say("override.nobody"))));
};

const enrol = async () => {
  const role = element("enrol-role").value.trim().replace(/\s+/g, "-"), passphrase = element("enrol-passphrase").value;
  element("enrol-passphrase").value = "";
  if (!role || passphrase.length < Officer.SHORTEST) { element("enrol-line").textContent = say("override.enrol.short"); return; }
  try {
    element("enrol-line").textContent = `${role} ${await Officer.enrol(role, passphrase)}`;
    await listRoles();
  } catch {
    element("enrol-line").textContent = say("override.said.old");
  }
};

const reasons = (counts) =>
  Object.entries(counts).sort((one, other) => other[1] - one[1]).slice(0, 4).map(([reason, count]) => `${say("why." + reason) || reason} ${count}`).join(" · ");

const draw = (state) => {
  element("place").textContent = state.checkpoint;
  element("now").textContent = `${state.time} · ${say("clock." + state.time_trust)}`;
  element("build").textContent = state.build;
  element("faults").replaceChildren(...state.faults.map((fault) =>
    make("div", {}, make("strong", {}, say(`fault.${fault.code}`)), ` ${fault.detail || ""} — ${say(`fault.${fault.code}.do`)}`)));
  const queue = state.queue;
  element("queue").replaceChildren(
    card("operator.per_minute", fixed(queue.per_minute, 1)),
    card("operator.utilisation", queue.utilisation === null ? "–" : `${(queue.utilisation * 100).toFixed(0)} %`, null, queue.open_one_more),
    card("operator.wait", fixed(queue.wait_s, 1, " s"), queue.open_one_more ? say("operator.open_one_more") : null, queue.open_one_more),
    card("operator.log", state.log.rows ?? "–", [
      `${say("operator.outbox")} ${state.log.outbox_pending ?? "–"}`,
      ...["outbox_dead", "given_up", "failed"].filter((what) => state.log[what]).map((what) => `${say("operator." + what)} ${state.log[what]}`),
      state.log.upload_waits,
    ].filter(Boolean).join(" · "), state.log.outbox_dead || state.log.given_up || state.log.failed),
    card("operator.sync", state.sync.last_success ? age(state.sync.age_s) : "–", state.sync.last_result || null),
  );
  element("lanes").replaceChildren(...state.lanes.map((lane) => {
    const times = lane.time_to_verdict_ms;
    return make("div", {}, make("h2", {}, `${say("operator.lane")} ${lane.lane}`),
      make("div", { class: "lane" },
        card("operator.per_minute", fixed(lane.per_minute, 1), lane.cycle_s === null ? null : `${say("operator.cycle")} ${lane.cycle_s.toFixed(1)} s`),
        card("operator.time_to_verdict", times ? `${times[0].toFixed(0)} ms` : "–", times ? `p95 ${times[1].toFixed(0)} · p99 ${times[2].toFixed(0)} ms` : null, times && times[1] > 150),
        card("operator.camera", lane.camera_up ? say("operator.up") : say("operator.down"), [`${fixed(lane.frames_per_second, 0)} fps`, lane.no_read ? `${say("operator.no_read")} ${say("no-read." + lane.no_read)}, ${ago(lane.no_read_age_s)}` : null].filter(Boolean).join(" · "), !lane.camera_up),
        make("div", { class: "card wide" }, make("small", {}, say("operator.shares")), shares(lane.verdicts), make("small", {}, reasons(lane.reasons))),
        make("div", { class: "card wide" }, make("small", {}, say("operator.times")), spread(lane.times)),
        make("div", { class: "card wide" }, make("small", {}, say("operator.steps")), plot(lane.steps))));
  }));
  element("lists").replaceChildren(...state.lists.map((list) => make("tr", {},
    make("td", {}, list.issuer), make("td", {}, list.name), make("td", {}, make("span", { class: `tag ${list.freshness}` }, say("fresh." + list.freshness))), make("td", {}, age(list.age_s)), make("td", {}, list.generation ?? ""))));
  element("recent").replaceChildren(...state.recent.map((scan) => make("tr", {},
    make("td", {}, scan.time.slice(11, 19)), make("td", {}, scan.lane), make("td", {}, make("span", { class: `tag ${scan.verdict}` }, say("verdict." + scan.verdict))), make("td", {}, say("why." + scan.reason) || scan.reason), make("td", {}, scan.issuer ?? ""), make("td", {}, byHand(scan)))));
};

const ask = async () => {
  try {
    const answer = await fetch("/status.json");
    if (answer.ok) draw(await answer.json());
  } catch {
    element("now").textContent = say("state.connecting");
  }
  setTimeout(ask, 1000);
};

element("override-send").addEventListener("click", send);
element("enrol-do").addEventListener("click", enrol);
element("override-leave").addEventListener("click", () => element("override").close());
element("proof").addEventListener("toggle", () => {
  if (element("proof").open) element("attestation").src = `/attestation.svg?${Date.now()}`;
});

fetch("/strings.json").then((answer) => answer.json()).then((all) => {
  const wanted = new URLSearchParams(location.search).get("lang") || navigator.language;
  words = all[wanted] || all[wanted.split("-")[0]] || all[wanted.startsWith("zh") ? "zh-CN" : "en"];
  document.documentElement.lang = wanted;
  document.querySelectorAll("[data-say]").forEach((heading) => { heading.textContent = say(heading.dataset.say); });
  ask();
});
