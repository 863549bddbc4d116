"use strict";
// The panel "your priorities": netversus.decide, in the browser. Same numbers, same sentences; tests compare them.
var priorities = (() => {
  const YES = "surely", PERHAPS = "perhaps", NO = "no", UNKNOWN = "not measured";
  const fill = (text, gaps) => text.replace(/\{(\w+)\}/g, (_, gap) => gaps[gap]);
  const digits = x => {
    const size = Math.abs(x), places = size === 0 ? 2 : Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(size))));
    return x.toFixed(places).replace("-", "−");
  };
  const percent = p =>
    p === 0 || p === 1 ? String(100 * p) : p > 0.99 ? "> 99" : p < 0.01 ? "< 1" : String(Math.floor(100 * p + 0.5));

  // The normal distribution: Abramowitz and Stegun 26.2.17, to 7.5e-8.
  const below = z => {
    const t = 1 / (1 + 0.2316419 * Math.abs(z));
    const tail = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI) * t * (0.319381530 + t * (-0.356563782
      + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    return z > 0 ? 1 - tail : tail;
  };
  const uniform = counter => {
    const s = Math.imul(counter + 1, 0x6D2B79F5);
    let t = Math.imul(s ^ s >>> 15, s | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return (((t ^ t >>> 14) >>> 0) + 0.5) / 2 ** 32;
  };
  const normal = place => Math.sqrt(-2 * Math.log(uniform(2 * place))) * Math.cos(2 * Math.PI * uniform(2 * place + 1));

  // weights: a number an axis; limits: a threshold an axis in stored units, or null.
  function recommend(data, weights, limits) {
    const n = data.contenders.length, all = [...Array(n).keys()], axes = data.axes;
    const used = axes.map((a, q) => ({...a, weight: weights[q]})).filter(a => a.weight > 0);
    const utility = i => !used.length || used.some(a => a.places[i] === null) ? null
      : used.reduce((sum, a) => sum + a.weight * a.places[i], 0);
    const lead = (i, j) => {
      let gap = 0, spread = 0;
      for (const a of used) {
        gap += a.weight * (a.places[i] - a.places[j]);
        spread += a.weight * a.spreads[j][i];
      }
      return {gap, spread};
    };
    const fits = (i, limits) => {
      const kept = new Set(axes.map((a, q) => {
        if (limits[q] === null) return YES;
        if (!a.levels[i]) return UNKNOWN;
        const ends = a.levels[i].map(end => a.atLeast ? end >= limits[q] : end <= limits[q]);
        return ends.every(Boolean) ? YES : ends.some(Boolean) ? PERHAPS : NO;
      }));
      if (kept.has(NO)) return NO;
      if (kept.has(UNKNOWN) || utility(i) === null) return UNKNOWN;
      return kept.has(PERHAPS) ? PERHAPS : YES;
    };
    const among = limits => {
      const found = all.map(i => fits(i, limits)), sure = all.filter(i => found[i] === YES);
      return sure.length ? sure : all.filter(i => found[i] === PERHAPS);
    };
    const choose = limits =>
      among(limits).reduce((best, i) => best === null || utility(i) > utility(best) ? i : best, null);

    const fit = all.map(i => fits(i, limits)), chosen = choose(limits);
    const possible = all.filter(i => fit[i] === YES || fit[i] === PERHAPS);
    const rivals = possible.filter(i => i !== chosen);
    const certain = chosen !== null && fit[chosen] === YES && rivals.every(j => {
      const {gap, spread} = lead(chosen, j);
      return gap > 0 && gap > data.reach * spread;
    });
    const behind = all.map(i => {
      if (chosen === null || i === chosen || utility(i) === null) return null;
      const {gap, spread} = lead(chosen, i), reach = data.reach * spread;
      return [gap, gap - reach, gap + reach];
    });
    return {choice: chosen, certain, fit, behind, chances: chances(data, all, possible, lead),
            front: all.map(i => front(used, all, i)), flips: flips()};

    function flips() {
      const found = [], others = among(limits).filter(i => i !== chosen);
      if (chosen === null) return found;
      axes.forEach((a, q) => {
        if (!a.weighable || [chosen, ...others].some(i => a.places[i] === null)) return;
        let low = null, high = null;
        for (const j of others) {
          const slope = a.places[chosen] - a.places[j];
          if (slope === 0) continue;
          const at = weights[q] - lead(chosen, j).gap / slope;
          if (slope > 0 && at > 1e-9 && (!low || at > low.at)) low = {kind: "weight", axis: q, side: "below", at, to: j};
          if (slope < 0 && (!high || at < high.at)) high = {kind: "weight", axis: q, side: "above", at, to: j};
        }
        found.push(...[low, high].filter(Boolean));
      });
      axes.forEach((a, q) => {
        if (limits[q] === null) return;
        const ends = a.levels.filter(Boolean).flat().sort((x, y) => x - y);
        const turn = (passed, side, sign) => {
          for (const end of passed) {
            const moved = [...limits];
            moved[q] = end + sign * (Math.abs(end) * 1e-12 + 1e-300);
            const to = choose(moved);
            if (to !== chosen) return found.push({kind: "limit", axis: q, side, at: end, to});
          }
        };
        turn(ends.filter(e => e <= limits[q]).reverse(), "below", -1);
        turn(ends.filter(e => e >= limits[q]), "above", 1);
      });
      return found;
    }
  }

  function front(used, all, i) {
    if (!used.length || used.some(a => a.places[i] === null)) return UNKNOWN;
    const rivals = all.filter(j => j !== i && used.every(a => a.places[j] !== null));
    const dominates = j => used.some(a => a.lows[i][j] > 0) && used.every(a => a.lows[i][j] >= -a.slack);
    if (rivals.some(dominates)) return NO;
    return rivals.every(j => used.some(a => a.lows[j][i] > 0)) ? YES : PERHAPS;
  }

  function chances(data, all, names, lead) {
    const result = all.map(() => null), first = names[0];
    if (names.length === 1) result[first] = 1;
    if (names.length === 2) {
      const {gap, spread} = lead(first, names[1]);
      result[first] = spread === 0 ? (gap === 0 ? 0.5 : Number(gap > 0)) : below(gap / spread);
      result[names[1]] = 1 - result[first];
    }
    if (names.length < 3) return result;
    const rest = names.slice(1), k = rest.length, spread2 = (i, j) => i === j ? 0 : lead(i, j).spread ** 2;
    const factor = rest.map(() => Array(k).fill(0));
    const cov = (i, j) => (spread2(first, rest[i]) + spread2(first, rest[j]) - spread2(rest[i], rest[j])) / 2;
    const dot = (i, j) => factor[i].slice(0, j).reduce((sum, x, m) => sum + x * factor[j][m], 0);
    for (let j = 0; j < k; j++) {
      const own = cov(j, j), pivot = own - dot(j, j);
      if (pivot <= 1e-12 * own) continue;
      factor[j][j] = Math.sqrt(pivot);
      for (let i = j + 1; i < k; i++) factor[i][j] = (cov(i, j) - dot(i, j)) / factor[j][j];
    }
    const gaps = rest.map(i => lead(i, first).gap), wins = Array(k + 1).fill(0);
    for (let d = 0; d < data.draws; d++) {
      const z = gaps.map((_, m) => normal(d * data.most + m));
      let best = 0, top = 0;
      gaps.forEach((gap, i) => {
        const drawn = gap + factor[i].reduce((sum, x, m) => sum + x * z[m], 0);
        if (drawn > top) { top = drawn; best = i + 1; }
      });
      wins[best]++;
    }
    names.forEach((name, i) => { result[name] = wins[i] / data.draws; });
    return result;
  }

  // What is said of a recommendation: the answer, a row a contender, the flips.
  function tell(data, weights, found) {
    const said = data.words, name = i => data.contenders[i], {choice, fit, behind} = found;
    const rows = data.contenders.map((who, i) => [who, said[fit[i]], behind[i] ? digits(behind[i][0]) : "–",
      found.chances[i] === null ? "–" : fill(said.percent, {number: percent(found.chances[i])}), said[found.front[i]]]);
    const flips = found.flips.map(flip => {
      const a = data.axes[flip.axis];
      const at = flip.kind === "weight" ? digits(flip.at) : `${digits(flip.at / a.factor)} ${a.unit}`.trim();
      return fill(said[`${flip.kind} ${flip.side}`], {axis: a.name, at, to: flip.to === null ? said.nobody : name(flip.to)});
    });
    if (!weights.some(w => w > 0)) return {answer: said.nothing, rows, flips};
    if (choice === null) return {answer: fit.some(f => f !== UNKNOWN) ? said.none : said.unjudged, rows, flips};
    const parts = [fill(said[found.certain ? "sure" : fit[choice] === YES ? "ahead" : "maybe"], {choice: name(choice)})];
    const rivals = fit.map((f, i) => i).filter(i => behind[i] && (fit[i] === YES || fit[i] === PERHAPS));
    if (rivals.length) {
      const near = rivals.reduce((a, b) => behind[b][0] < behind[a][0] ? b : a), [gap, low, high] = behind[near].map(digits);
      parts.push(fill(said.lead, {other: name(near), gap, low, high}), fill(said.chance, {chance: percent(found.chances[choice])}));
    } else parts.push(said.only);
    const left = fit.map((f, i) => i).filter(i => fit[i] === UNKNOWN).map(name);
    if (left.length) parts.push(fill(said.unmeasured, {names: left.join(said.comma)}));
    return {answer: parts.join(said.between), rows, flips};
  }
  return {recommend, tell};
})();

if (typeof document !== "undefined") (() => {
  const form = document.getElementById("priorities-form");
  if (!form) return;
  const data = JSON.parse(document.getElementById("priorities-data").textContent);
  const read = (kind, missing) => data.axes.map((axis, q) => {
    const input = form.querySelector(`input[name=${kind}][data-axis="${q}"]`), number = input ? input.valueAsNumber : NaN;
    return isFinite(number) ? number : missing;
  });
  const show = () => {
    const weights = read("weight", 0).map(w => Math.max(0, w));
    const limits = read("limit", null).map((t, q) => t === null ? null : t * data.axes[q].factor);
    const told = priorities.tell(data, weights, priorities.recommend(data, weights, limits));
    const strong = document.querySelector("#priorities-answer strong");
    if (strong.textContent !== told.answer) strong.textContent = told.answer;
    [...document.querySelectorAll("#priorities-contenders tbody tr")].forEach((row, i) =>
      [...row.cells].forEach((cell, j) => { if (j) cell.textContent = told.rows[i][j]; }));
    document.getElementById("priorities-flips").replaceChildren(...told.flips.map(text => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
  };
  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", event => event.preventDefault());
  form.hidden = false;
  show();
})();
