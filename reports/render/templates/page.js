"use strict";
(() => {
  const CHUNK = 200;
  const LARGE = 1000;
  const said = document.getElementById("said");

  /** An element with attributes and children; strings become text, never markup. */
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };

  const say = (text) => { said.textContent = text; };

  /** Order of two values; null, which stands for no result, comes last in either direction. */
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
  };

  const sorted = (items, value, sign) => items
    .map((item, place) => ({ item, place, value: value(item) }))
    .sort((a, b) => compare(a.value, b.value, sign) || a.place - b.place)
    .map((each) => each.item);

  /** Makes the heads of a table buttons: ascending, descending, as it was. */
  const sortable = (table, apply) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = make("button", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const after = { ascending: "descending", descending: null }[before];
        const order = before === null ? "ascending" : after;
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        if (order) head.setAttribute("aria-sort", order);
        apply(order ? column : null, order === "descending" ? -1 : 1);
        say(`${table.caption.textContent}: ${order ? `sorted by ${button.textContent.trim()}, ${order}` : "in the original order"}`);
      });
    });
  };

  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

  /** A labelled filter box with a count; shows the text that apply(words) gives back. */
  const filterBox = (hint, apply) => {
    const input = make("input", { type: "search", placeholder: hint, autocomplete: "off", spellcheck: "false" });
    const count = make("output");
    const tell = ({ text, all }) => {
      count.textContent = text;
      count.classList.toggle("all", all);
      return text;
    };
    const run = () => tell(apply(words(input.value)));
    input.addEventListener("input", () => say(run()));
    return { label: make("label", {}, "Filter ", input), input, count, tell, run };
  };

  const shownOf = (shown, all, what) => (shown === all ? `${all.toLocaleString("en")} ${what}` : `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} ${what}`);

  const enhance = (table) => {
    const kinds = [...table.tHead.rows[0].cells].map((head) => head.dataset.kind);
    const value = (line, column) => {
      const cell = line.cells[column];
      if ("none" in cell.dataset) return null;
      const content = cell.dataset.v ?? cell.textContent.trim();
      return kinds[column] === "number" ? Number(content) : content;
    };
    const bodies = [...table.tBodies].map((body) => ({ body, lines: [...body.rows].filter((line) => !line.classList.contains("group")) }));
    sortable(table, (column, sign) => {
      for (const { body, lines } of bodies) {
        body.append(...(column === null ? lines : sorted(lines, (line) => value(line, column), sign)));
      }
    });
    if (!("filter" in table.dataset)) return;
    const all = bodies.flatMap((each) => each.lines);
    const box = filterBox("part of any cell", (wanted) => {
      let shown = 0;
      for (const line of all) {
        const text = line.textContent.toLowerCase();
        line.hidden = !wanted.every((word) => text.includes(word));
        shown += !line.hidden;
      }
      return { text: shownOf(shown, all.length, "rows"), all: shown === all.length };
    });
    table.closest(".scroll").before(make("div", { class: "tools" }, box.label, box.count));
    box.run();
  };

  /** A number with so many decimals; null: with three significant figures, as scores of samples. */
  const digits = (value, count) => {
    if (value === null) return "–";
    if (count === null) return value.toFixed(value ? Math.min(Math.max(2 - Number(value.toExponential(2).split("e")[1]), 0), 6) : 2);
    const text = value.toFixed(count).replace(/^-(0\.?0*)$/, "$1");
    return count === 3 ? text.replace(/^(-?)0\./, "$1.") : text;
  };

  const seconds = (value) => (value === null ? "–" : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0));

  const written = (value) => {
    if (value === null) return "–";
    if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  };

  const nested = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length > 0;

  /** Nested settings as lines: versions.numpy, 2.0. */
  const flat = (settings, before = "") => Object.entries(settings).flatMap(([key, value]) => (
    nested(value) ? flat(value, `${before}${key}.`) : [[before + key, written(value)]]));

  const block = (title, settings) => {
    const list = make("dl");
    for (const [key, value] of flat(settings)) list.append(make("dt", {}, key), make("dd", {}, value));
    return make("div", {}, make("h3", {}, title), list);
  };

  const cellTable = (data, place) => {
    const { rows, blocks, metrics, columns, shared, status, timing } = data;
    const cells = data.cells.map(([row, seed, state, key, size, scores, times, memory, resources, dataset, provenance, utc, artifacts, error, scored]) => ({
      row, seed, state: status[state], key, size, scores, times, memory, utc, artifacts, open: false,
      label: rows[row].label, block: blocks[rows[row].block], method: rows[row].method,
      resources: shared[resources], dataset: shared[dataset], provenance: shared[provenance],
      error: error === null ? null : shared[error], scored: shared[scored],
    }));
    for (const cell of cells) {
      const { provenance: p, resources: r, error } = cell;
      cell.text = [cell.label, cell.block, `seed=${cell.seed}`, cell.state, cell.key, p.code, p.git_sha, p.dirty ? "dirty" : "", r.device, r.precision, p.cpu, p.gpu, error ? `${error.type}: ${error.message}` : ""].join(" ").toLowerCase();
    }
    const heads = [
      { name: "Method", value: (c) => c.label },
      ...(blocks.length > 1 ? [{ name: "Data", value: (c) => c.block }] : []),
      { name: "Seed", number: true, value: (c) => c.seed },
      { name: "Status", value: (c) => c.state },
      ...columns.map((i) => ({ name: metrics[i].head, sub: metrics[i].sub, number: true, value: (c) => c.scores[i], text: (v) => digits(v, metrics[i].digits) })),
      { name: "Fit (s)", number: true, value: (c) => c.times[0], text: seconds },
      { name: "Peak (MB)", number: true, value: (c) => c.memory[0], text: (v) => digits(v, 0) },
      { name: "Device", extra: true, value: (c) => c.resources.device },
      { name: "Code", key: true, extra: true, value: (c) => c.provenance.code },
      { name: "Commit", key: true, extra: true, value: (c) => (c.provenance.git_sha === null ? null : c.provenance.git_sha.slice(0, 10) + (c.provenance.dirty ? " dirty" : "")) },
      { name: "Key", key: true, value: (c) => c.key.slice(0, 12) },
    ];
    const body = make("tbody");
    const table = make("table", {},
      make("caption", { class: "aside" }, "Runs"),
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col", class: head.number ? "n" : head.extra ? "extra" : undefined }, ...(head.sub ? [make("small", {}, `${head.sub} `)] : []), head.name)))),
      body);
    const state = { column: null, sign: 1, words: [], rows: null, status: "", limit: CHUNK };

    const whole = (cell) => {
      const link = make("a", { href: `#${cell.key}`, class: "key" }, cell.key);
      const scores = {};
      metrics.forEach((metric, i) => {
        if (cell.scores[i] !== null) (scores[metric.split] ??= {})[metric.name] = cell.scores[i];
      });
      const parts = [make("div", { class: "wide" }, make("h3", {}, "Key"), link)];
      if (cell.error) {
        parts.push(make("div", { class: "wide" }, make("h3", {}, `Error: ${cell.error.type}`),
          make("pre", {}, `${cell.error.message}\n\n${cell.error.traceback}`.trim())));
      }
      parts.push(
        block("Cell", { suite: data.suite, table: cell.block, row: cell.label, seed: cell.seed, status: cell.state, ended: cell.utc }),
        block("Metrics", scores),
        block("Method", { ...cell.method, n_parameters: cell.size }),
        block("Data", cell.dataset),
        block("Samples scored with", cell.scored),
        block("Seconds", Object.fromEntries(timing.map((name, i) => [name, cell.times[i]]))),
        block("Resources", { ...cell.resources, peak_rss_mb: cell.memory[0], peak_gpu_mb: cell.memory[1] }),
        block("Provenance", cell.provenance),
        block("Artifacts, sha256", Object.fromEntries(cell.artifacts.map(([name, sum]) => [name.replace("*", cell.key), sum]))));
      return make("tr", { class: "detail", id: `whole-${cell.key}` },
        make("td", { colspan: heads.length }, make("div", { class: "whole" }, ...parts.filter((part) => part.lastElementChild.textContent))));
    };

    const line = (cell) => {
      const button = make("button", { type: "button", class: "open", "aria-expanded": String(cell.open), "aria-controls": `whole-${cell.key}` }, cell.label);
      const row = make("tr", { id: cell.key }, ...heads.map((head, i) => {
        if (i === 0) return make("th", { scope: "row" }, button);
        const value = head.value(cell);
        const text = head.text ? head.text(value) : value === null ? "–" : String(value);
        const bad = head.name === "Status" && cell.error;
        return make("td", { class: [head.number && "n", head.key && "key", head.extra && "extra", bad && "bad"].filter(Boolean).join(" ") || undefined }, text);
      }));
      button.addEventListener("click", () => {
        cell.open = !cell.open;
        button.setAttribute("aria-expanded", String(cell.open));
        if (cell.open) row.after(whole(cell));
        else row.nextElementSibling.remove();
      });
      return cell.open ? [row, whole(cell)] : [row];
    };

    const matching = () => {
      const kept = cells.filter((cell) => (state.rows === null || state.rows.has(cell.row))
        && (state.status === "" || cell.state === state.status || (state.status === "failures" && cell.error))
        && state.words.every((word) => cell.text.includes(word)));
      return state.column === null ? kept : sorted(kept, heads[state.column].value, state.sign);
    };
    const more = make("p", { class: "more" });
    const draw = () => {
      const kept = matching();
      body.replaceChildren(...kept.slice(0, state.limit).flatMap(line));
      more.replaceChildren();
      if (kept.length > state.limit) {
        for (const n of new Set([CHUNK, LARGE].map((size) => Math.min(size, kept.length - state.limit)))) {
          const button = make("button", { type: "button" }, `Show ${n.toLocaleString("en")} more`);
          button.addEventListener("click", () => { state.limit += n; });
          more.append(button, " ");
        }
      }
      const cut = kept.length > state.limit ? `, the first ${state.limit.toLocaleString("en")} shown` : "";
      return { text: shownOf(kept.length, cells.length, "runs") + cut, all: kept.length === cells.length && !cut };
    };
    const box = filterBox("method, seed=3, key, error …", (wanted) => { state.words = wanted; state.limit = CHUNK; return draw(); });
    const only = make("button", { type: "button", hidden: "" });
    const chosen = make("select", {}, make("option", { value: "" }, "all"),
      ...(status.length > 1 ? [make("option", { value: "failures" }, "failures")] : []),
      ...status.map((name) => make("option", { value: name }, name)));
    const refresh = () => { state.limit = CHUNK; say(box.run()); };

    /** What rows have in common: their label and table, or how many of them there are. */
    const common = (places, name) => {
      const distinct = new Set(places.map((place) => rows[place][name]));
      const [first] = distinct;
      if (distinct.size > 1) return `${distinct.size} ${name === "label" ? "methods" : "tables"}`;
      return name === "label" ? first : blocks[first];
    };
    const narrow = (places) => {
      state.rows = places && new Set(places);
      only.hidden = !places;
      if (places) only.textContent = `Only ${common(places, "label")}, ${common(places, "block")} ✕`;
      refresh();
    };
    chosen.addEventListener("change", () => { state.status = chosen.value; refresh(); });
    only.addEventListener("click", () => { narrow(null); box.input.focus(); });
    more.addEventListener("click", () => box.tell(draw()));
    sortable(table, (column, sign) => { Object.assign(state, { column, sign }); box.run(); });
    place.append(
      make("div", { class: "tools" }, box.label, make("label", {}, "Status ", chosen), only, box.count),
      make("div", { class: "scroll", role: "group", "aria-label": "Runs, table", tabindex: "0" }, table), more);
    box.run();

    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-row]");
      if (!link) return;
      event.preventDefault();
      box.input.value = "";
      chosen.value = state.status = "";
      narrow(link.dataset.row.split(" ").map(Number));
      const title = document.getElementById("runs-title");
      title.scrollIntoView();
      title.focus({ preventScroll: true });
    });

    /** Opens the cell that the address names, as in index.html#03fa... */
    const follow = () => {
      const wanted = location.hash.slice(1);
      if (!/^[0-9a-f]{8,64}$/.test(wanted)) return;
      const cell = cells.find((each) => each.key.startsWith(wanted));
      if (!cell) return;
      box.input.value = wanted;
      chosen.value = state.status = "";
      cell.open = true;
      narrow(null);
      document.getElementById(cell.key).scrollIntoView();
    };
    addEventListener("hashchange", follow);
    follow();
  };

  /** Random numbers in [0, 1) from a seed, the same on every machine. */
  const mulberry = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  /** Limits of the mean of paired differences: the expanded percentile bootstrap of the tables. */
  const interval = (differences, tail) => {
    const n = differences.length;
    const random = mulberry(20060101);
    const means = Float64Array.from({ length: 10000 }, () => {
      let sum = 0;
      for (let i = 0; i < n; i += 1) sum += differences[Math.floor(random() * n)];
      return sum / n;
    }).sort();
    return [tail, 1 - tail].map((level) => means[Math.round(level * (means.length - 1))]);
  };

  const pairForm = (data, place, result) => {
    const { rows, blocks, metrics, columns } = data;
    const choice = (title, items) => {
      const select = make("select", {}, ...items.map(([value, text]) => make("option", { value }, text)));
      select.addEventListener("change", () => refresh());
      place.append(make("label", {}, `${title} `, select));
      return select;
    };
    const fill = (select, block, chosen) => {
      const inBlock = rows.map((row, i) => [i, row]).filter(([, row]) => row.block === block);
      select.replaceChildren(...inBlock.map(([i, row]) => make("option", { value: i }, row.label)));
      select.selectedIndex = Math.min(chosen, inBlock.length - 1);
    };
    const block = blocks.length > 1 ? choice("Data", blocks.map((title, i) => [i, title])) : null;
    const metric = choice("Metric", columns.map((i) => [i, [metrics[i].head, metrics[i].sub].filter(Boolean).join(", ")]));
    const [one, other] = [choice("Row", []), choice("minus", [])];
    const refill = () => { const b = block ? Number(block.value) : 0; fill(one, b, 1); fill(other, b, 0); };
    const refresh = () => {
      const of = (row) => new Map(data.cells.filter((cell) => cell[0] === row).map((cell) => [cell[1], cell[5][Number(metric.value)]]));
      const [a, b] = [of(Number(one.value)), of(Number(other.value))];
      const seeds = [...a.keys()].filter((seed) => a.get(seed) !== null && (b.get(seed) ?? null) !== null);
      const differences = seeds.map((seed) => a.get(seed) - b.get(seed));
      const count = metrics[Number(metric.value)].digits;
      const show = (value) => `${value > 0 ? "+" : ""}${digits(value, count)}`;
      const n = differences.length;
      if (!n) { result.textContent = "No seed on which both have this score."; return; }
      const mean = differences.reduce((sum, each) => sum + each, 0) / n;
      const least = 2 ** (1 - n) <= 0.05;
      const limits = least ? `, 95 % interval [${interval(differences, data.tails[n]).map(show).join(", ")}]` : "; too few pairs for a 95 % interval (6 are needed)";
      const wins = differences.filter((each) => each > 0).length;
      result.textContent = `${rows[one.value].label} minus ${rows[other.value].label}: ${show(mean)}${limits}; ${n} pairs, larger in ${wins}.`;
    };
    if (block) block.addEventListener("change", () => { refill(); refresh(); });
    refill();
    refresh();
  };

  document.querySelectorAll("table").forEach(enhance);
  const data = JSON.parse(document.getElementById("data").textContent);
  const place = document.getElementById("runs-table");
  if (place) {
    cellTable(data, place);
    if (data.columns.length) pairForm(data, document.getElementById("pair-form"), document.getElementById("pair-result"));
  }

  const reachable = () => document.querySelectorAll(".scroll").forEach((box) => {
    const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  });
  reachable();
  addEventListener("resize", reachable);

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.fold:not([open])")];
    opened.forEach((each) => { each.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((each) => { each.open = false; }));
})();
