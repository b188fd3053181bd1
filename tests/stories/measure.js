(window.measure = (reasons) => {
  // Shows a lane's screen each of its states and tells what lies over something else, leaves the window, or has ink outside its line.
  // Given to the page by a story; `reasons` is a list of [reason, verdict].
  const round = (number) => Math.round(number * 10) / 10;
  const pen = document.createElement("canvas").getContext("2d");
  const texts = ["word", "word2", "number", "name", "next", "next2", "why", "why2", "notice", "place", "staff", "sound"];
  const pieces = () => {
    const shown = texts.map((id) => document.getElementById(id)).filter((one) => one.textContent && one.getClientRects().length);
    const shapes = [...document.querySelectorAll(".shape, .aim")].filter((one) => getComputedStyle(one).display !== "none");
    return [...shown, ...shapes];
  };
  const box = (one) => {
    const edges = one.getBoundingClientRect();
    if (!texts.includes(one.id)) return edges;
    const range = document.createRange();
    range.selectNodeContents(one);
    const ink = range.getBoundingClientRect();
    return { left: Math.min(ink.left, ink.right), right: ink.right, top: edges.top, bottom: edges.bottom };
  };
  const lookAt = (what) => {
    const found = [], all = pieces().map((one) => [one.id || one.getAttribute("class"), box(one), one]);
    for (const [name, one, element] of all) {
      if (one.left < -0.5 || one.top < -0.5 || one.right > innerWidth + 0.5 || one.bottom > innerHeight + 0.5) {
        found.push(`${what}: ${name} leaves the window: ${[one.left, one.top, one.right, one.bottom].map(round)}`);
      }
      if (!texts.includes(name)) continue;
      const style = getComputedStyle(element), size = parseFloat(style.fontSize);
      pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
      const ink = pen.measureText(element.textContent), high = ink.actualBoundingBoxAscent + ink.actualBoundingBoxDescent;
      const line = style.lineHeight === "normal" ? Infinity : parseFloat(style.lineHeight);
      // A twentieth beyond the line is the gap that a font leaves anyhow.
      if (high > line * 1.05 + 1) found.push(`${what}: ${name} has ink of ${round(high)} px on a line of ${round(line)} px`);
      window.smallest = Math.min(window.smallest ?? Infinity, size);
      if (size < 11) found.push(`${what}: ${name} has letters of ${round(size)} px`);
    }
    for (const [at, [name, one]] of all.entries()) {
      for (const [other, two] of all.slice(at + 1)) {
        const wide = Math.min(one.right, two.right) - Math.max(one.left, two.left);
        const high = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
        if (wide > 1 && high > 1) found.push(`${what}: ${name} and ${other} share ${round(wide)}x${round(high)} px`);
      }
    }
    return found;
  };
  const states = [];
  const names = (first) => Object.keys(strings.en).filter((key) => key.startsWith(first) && key.split(".").length === 2).map((key) => key.slice(first.length));
  for (const kind of ["idle", "reading", "connecting", "silent", "closed"]) states.push([kind, { kind }, {}]);
  states.push(["referring", { kind: "idle" }, { lanes: [], refers_everybody: true }]);
  for (const hint of names("hint.")) states.push([hint, { kind: "hint", hint }, {}]);
  for (const hint of names("attention.").filter((one) => one !== "other-lanes")) {
    states.push([hint, { kind: "attention", hint }, { lanes: ["2", "3", "4 (west)"], refers_everybody: false }]);
  }
  for (const outcome of names("configured.")) states.push([outcome, { kind: "configured", outcome }, {}]);
  for (const [reason, verdict] of reasons) {
    const number = verdict === "admit" ? {} : { number: "W7M" };
    const notice = reason === "recognition-suspended" ? { instead: "国家码", notice: "〔2021〕12号 · 2021-01-15 – 2021-02-28" } : {};
    states.push([reason, { kind: "verdict", verdict, reason, ...number, ...notice }, {}]);
  }
  const found = [];
  for (const discreet of [false, true]) {
    signals = { ...signals, sound: false, discreet };
    for (const [what, state, beside] of states) {
      besides = { lanes: [], refers_everybody: false, ...beside };
      show(state);
      if (state.verdict === "admit" && !discreet) { element("name").textContent = "阿卜杜热·*"; fit(); }
      found.push(...lookAt(discreet ? `${what}, discreet` : what));
      element("name").textContent = "";
    }
  }
  return JSON.stringify(found);
})
