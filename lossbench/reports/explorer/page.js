// Runs and a moment are chosen, points are filtered; plots, matrix, bars and cards all follow from `refresh`.
// There is a pane for each of the two runs side by side. `now` and `plane` are the pane that is being drawn and
// its plot: the first one, but for what is done `inside` the other.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const both = { hidden: new Set(), cell: null, pinned: null, playing: null };
const panes = ["plane", "plane2"].map((id) => ({
  id, box: $(id), plot: null, run: null, moment: 0, shown: [],
  get hidden() { return both.hidden; }, get cell() { return both.cell; }, get pinned() { return both.pinned; },
}));
let now = panes[0];
const SHAPES = ["square", "triangle", "diamond", "inverted_triangle", "star", "hex"];
const TILE = 84; // pixels of the longer side of a shown image
const NO_ANGLE = 255;
let plane, histogram;

function inside(pane, action) {
  const before = now;
  [now, plane] = [pane, pane.plot];
  try {
    return action();
  } finally {
    [now, plane] = [before, before.plot];
  }
}

const eachPane = (action) => panes.filter((pane) => pane.run).forEach((pane) => inside(pane, action));

// ---- the data -----------------------------------------------------------------------------------------------

async function unpack(run) {
  const text = atob(run.arrays);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  let offset = 0;
  const cut = (type, count) => {
    const part = new type(buffer, offset, count);
    offset += part.byteLength;
    return part;
  };
  const every = run.kept * (run.epochs.length - 1) + run.count;
  run.places = cut(Int32Array, run.kept);
  run.points = cut(Int16Array, 2 * every);
  run.confidence = cut(Uint16Array, every);
  const Labels = run.classes.length > 256 ? Uint16Array : Uint8Array;
  run.labels = cut(Labels, run.count);
  run.predictions = cut(Labels, every);
  run.regions = cut(Labels, run.grid ** 2);
  run.degrees = cut(Uint8Array, every);
  run.arrays = null;
}

// Point i of the moment shown: where it lies in the run's arrays, and which image it is.
const atEnd = () => now.moment === now.run.epochs.length - 1;
const row = (i) => now.moment * now.run.kept + i;
const place = (i) => (atEnd() ? i : now.run.places[i]);
const pointOf = (image) => (atEnd() ? image : now.run.places.indexOf(image));
const x = (i) => now.run.scale * now.run.points[2 * row(i)];
const y = (i) => now.run.scale * now.run.points[2 * row(i) + 1];
const label = (i) => now.run.labels[place(i)];
const predicted = (i) => now.run.predictions[row(i)];

function filtered() {
  const { run } = now;
  const counts = run.classes.map(() => run.classes.map(() => 0));
  const [wrong, unseen_classes] = [$("wrong").checked, $("unseen_classes").checked];
  now.shown = [];
  for (let i = 0; i < (atEnd() ? run.count : run.kept); i++) {
    const [own, said] = [label(i), predicted(i)];
    if (now.hidden.has(own) || (wrong && own === said) || (!unseen_classes && place(i) >= run.seen)) continue;
    counts[own][said]++;
    if (!now.cell || (now.cell[0] === own && now.cell[1] === said)) now.shown.push(i);
  }
  return counts;
}

// ---- what follows from it -----------------------------------------------------------------------------------

function refresh() {
  const { run } = now;
  let counts;
  eachPane(() => {
    const own = filtered();
    counts ??= own; // of the first pane
    drawPoints();
    drawDirections();
    sayMoment();
  });
  drawBars();
  fillConfusion(counts);
  const right = now.shown.filter((i) => label(i) === predicted(i)).length;
  const share = now.shown.length ? ` · ${((100 * right) / now.shown.length).toFixed(2)} % right` : "";
  $("shown").textContent = `${now.shown.length.toLocaleString("en")} of ${
    (atEnd() ? run.count : run.kept).toLocaleString("en")} images${share}`;
  const said = atEnd() ? `end · all ${run.split} images` : epochText();
  $("epoch").textContent = said;
  $("moment").value = now.moment;
  $("moment").setAttribute("aria-valuetext", said);
  const lines = run.numbers.map((name) =>
    element("tr", {}, element("th", { textContent: name, scope: "row" }),
      ...panes.filter((pane) => pane.run).map((pane) => element("td", { textContent: valueOf(pane, name) ?? "–" }))));
  $("numbers").replaceChildren(...lines);
  $("measured").textContent = atEnd() ? "" : `${epochText()}, of ${run.kept.toLocaleString("en")} images`;
  showPinned();
}

const epochText = () => `epoch ${Number(now.run.epochs[now.moment].toPrecision(3))} of ${now.run.epochs.at(-1)}`;
const valueOf = ({ run, moment }, name) => run.values[moment][run.numbers.indexOf(name)];

// What the line below a run's name says: of the end its result, of an earlier moment how far training is.
function sayMoment() {
  const { run } = now;
  const accuracy = valueOf(now, run.main);
  const parts = atEnd() ? [run.accuracy] : [epochText(), `${accuracy} % of ${run.kept.toLocaleString("en")} images right`];
  $(now === panes[0] ? "caption" : "caption2").textContent = [run.conditions, ...parts].filter(Boolean).join(" · ");
}

const source = (name) => plane.document.get_model_by_name(name);
const layer = (name) => plane.document.get_model_by_name(`${name}-layer`);

function drawPoints() {
  const parts = { points: [], unseen: [] };
  for (const i of now.shown) parts[place(i) < now.run.seen ? "points" : "unseen"].push(i);
  const unseen_classes = [...new Set(now.run.labels.subarray(now.run.seen))].sort();
  for (const [name, points] of Object.entries(parts)) {
    const many = Math.max(points.length, 1);
    layer(name).glyph.setv({
      size: Math.min(9, Math.max(3, 28 / many ** 0.24)),
      fill_alpha: Math.min(0.9, Math.max(0.45, 8 / many ** 0.3)),
    });
    source(name).data = {
      x: Float64Array.from(points, x),
      y: Float64Array.from(points, y),
      color: Float64Array.from(points, (i) => label(i)),
      shape: points.map((i) => SHAPES[Math.max(unseen_classes.indexOf(label(i)), 0) % SHAPES.length]),
    };
  }
}

function drawDirections() {
  const { run, moment } = now;
  const seen = (rows) => (rows?.[moment] ?? []).filter((row) => row);
  source("weights").data = { angle: seen(run.weight).map(([x, y]) => Math.atan2(y, x)) };
  source("centers").data = { x: seen(run.centers).map((c) => c[0]), y: seen(run.centers).map((c) => c[1]) };
  const sums = run.classes.map(() => [0, 0, 0]);
  for (const i of now.shown) {
    const sum = sums[label(i)];
    sum[0] += x(i);
    sum[1] += y(i);
    sum[2]++;
  }
  layer("names").glyph.y_offset = run.centers[moment] ? -17 : 0; // above the dot, which marks nearly the same place
  const named = run.classes.map((text, k) => ({ text, sum: sums[k] })).filter(({ sum }) => sum[2]);
  source("names").data = {
    x: named.map(({ sum }) => sum[0] / sum[2]),
    y: named.map(({ sum }) => sum[1] / sum[2]),
    text: named.map(({ text }) => text),
  };
}

function drawBars() {
  const bars = Array.from({ length: 180 / data.cell }, () => now.run.classes.map(() => 0));
  const angles = now.shown.map((i) => now.run.degrees[row(i)]).filter((angle) => angle !== NO_ANGLE);
  for (const i of now.shown) {
    const angle = now.run.degrees[row(i)];
    if (angle !== NO_ANGLE) bars[Math.min(Math.floor(angle / data.cell), bars.length - 1)][label(i)]++;
  }
  const quads = { left: [], right: [], bottom: [], top: [], color: [] };
  bars.forEach((counts, cell) => {
    let height = 0;
    counts.forEach((count, k) => {
      if (!count) return;
      quads.left.push(cell * data.cell);
      quads.right.push((cell + 0.94) * data.cell);
      quads.bottom.push(height);
      quads.top.push((height += count));
      quads.color.push(k);
    });
  });
  histogram.document.get_model_by_name("bars").data = quads;
  angles.sort((a, b) => a - b);
  const reach = angles[Math.floor(0.95 * (angles.length - 1))] ?? 0;
  const end = [30, 60, 90, 180].find((end) => end > reach) ?? 180;
  histogram.x_range.setv({ start: 0, end });
  histogram.y_range.setv({ start: 0, end: 1.05 * Math.max(1, ...quads.top) });
  const beyond = angles.filter((angle) => angle >= end).length;
  const to = now.run.angles_to === "weight" ? "class weight" : "class mean";
  $("spread").textContent = angles.length
    ? `to the ${to}, median ${angles[Math.floor(angles.length / 2)]}°${beyond ? `, ${beyond} beyond ${end}°` : ""}`
    : "none";
}

// ---- the confusion matrix: one tab stop, arrows move in it -----------------------------------------------------

function buildConfusion() {
  const { classes } = now.run;
  const short = (name) => (name.length > 3 ? name.slice(0, 2) : name);
  const head = classes.map((name) => element("th", { textContent: short(name), title: name, scope: "col" }));
  const rows = classes.map((own, k) => {
    const cells = classes.map((said, l) => {
      const button = element("button", { type: "button", tabIndex: k + l ? -1 : 0 });
      button.dataset.cell = `${k},${l}`;
      button.style.setProperty("--hue", `var(--${k === l ? "right" : "false"})`);
      return element("td", {}, button);
    });
    return element("tr", {}, element("th", { textContent: short(own), title: own, scope: "row" }), ...cells);
  });
  $("confusion").classList.toggle("many", classes.length > 12);
  $("confusion").replaceChildren(element("tr", {}, element("td"), ...head), ...rows);
}

function fillConfusion(counts) {
  const { classes } = now.run;
  const errors = Math.max(1, ...counts.flatMap((row, k) => row.filter((_, l) => l !== k)));
  const hits = Math.max(1, ...counts.map((row, k) => row[k]));
  for (const button of $("confusion").querySelectorAll("button")) {
    const [k, l] = button.dataset.cell.split(",").map(Number);
    const count = counts[k][l];
    button.textContent = count || "";
    button.style.setProperty("--share", count ? 0.08 + 0.5 * Math.sqrt(count / (k === l ? hits : errors)) : 0);
    button.setAttribute("aria-label", `true ${classes[k]}, predicted ${classes[l]}: ${count}`);
    button.setAttribute("aria-pressed", now.cell?.[0] === k && now.cell?.[1] === l);
  }
}

function onConfusion(event) {
  const button = event.target.closest("button");
  if (!button) return;
  const [k, l] = button.dataset.cell.split(",").map(Number);
  if (event.type === "click") {
    both.cell = button.getAttribute("aria-pressed") === "true" ? null : [k, l];
    refresh();
    return;
  }
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  const next = step && $("confusion").querySelector(`[data-cell="${k + step[0]},${l + step[1]}"]`);
  if (!next) return;
  event.preventDefault();
  button.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// The picture with all images; width and height are those at which one of them is shown.
function tiles(number) {
  const sprite = data.sprites[number];
  const scale = TILE / Math.max(sprite.width, sprite.height);
  return { ...sprite, width: scale * sprite.width, height: scale * sprite.height };
}

// ---- one image: under the pointer, or pinned -------------------------------------------------------------------

function describe(box, i, above = []) {
  const { run } = now;
  const { columns, width, height } = tiles(run.sprite);
  const image = place(i);
  const tile = element("div", { className: `tile sprite${run.sprite}`, role: "img", ariaLabel: `image of ${run.classes[label(i)]}` });
  tile.style.backgroundPosition = `${-width * (image % columns)}px ${-height * Math.floor(image / columns)}px`;
  const [low, high] = run.confidence_range;
  const confidence = low + ((high - low) * run.confidence[row(i)]) / 65535;
  const wrong = label(i) === predicted(i) ? "" : "false";
  const said = [
    ["image", image, ""],
    ["true", run.classes[label(i)], ""],
    ["predicted", run.classes[predicted(i)], wrong],
    run.probabilities ? ["confidence", `${(100 * confidence).toFixed(1)} %`, ""] : ["score", confidence.toPrecision(3), ""],
  ];
  const list = element("dl", { className: "facts" });
  for (const [name, value, className] of said)
    list.append(element("dt", { textContent: name }), element("dd", { textContent: value, className }));
  box.replaceChildren(...above, tile, list);
}

function nearest(event) {
  const unit = (plane.x_range.end - plane.x_range.start) / plane.inner_width;
  let [best, distance] = [null, (8 * unit) ** 2];
  for (const i of now.shown) {
    const d = (x(i) - event.x) ** 2 + (y(i) - event.y) ** 2;
    if (d < distance) [best, distance] = [i, d];
  }
  return best;
}

function onMove(event) {
  const i = now.dragging ? null : nearest(event);
  $("tip").hidden = i === null;
  now.box.classList.toggle("over", i !== null);
  if (i === null) return;
  now.box.append($("tip"));
  describe($("tip"), i);
  const { width, height } = now.box.getBoundingClientRect();
  const { offsetWidth, offsetHeight } = $("tip");
  $("tip").style.left = `${event.sx + 14 + offsetWidth < width ? event.sx + 14 : event.sx - 14 - offsetWidth}px`;
  $("tip").style.top = `${event.sy + 14 + offsetHeight < height ? event.sy + 14 : event.sy - 14 - offsetHeight}px`;
}

function pin(image) {
  both.pinned = image;
  showPinned();
}

// The pinned image in both panes, and on one card with what each run says of it.
function showPinned() {
  const { run, pinned } = now;
  const cards = [];
  eachPane(() => {
    const same = now.run.sprite === run.sprite && now.run.split === run.split;
    const i = pinned === null || !same ? -1 : pointOf(pinned);
    source("pinned").data = i < 0 ? { x: [], y: [] } : { x: [x(i)], y: [y(i)] };
    if (i < 0) return;
    const card = element("div", { className: "card" });
    const name = element("p", { textContent: now.run.group });
    describe(card, i, panes[1].run ? [name] : []);
    cards.push(card);
  });
  $("image").value = pinned ?? "";
  const missing = pinned === null ? "Click a point to keep it here." : `Image ${pinned} was not kept at this moment.`;
  $("card").replaceChildren(...(cards.length ? cards : [missing]));
}

// ---- controls -----------------------------------------------------------------------------------------------

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

async function choose(number) {
  const run = data.runs[number];
  if (run.arrays) await unpack(run);
  const before = now.run;
  if (before && (before.sprite !== run.sprite || before.split !== run.split)) both.pinned = null;
  const same = before && before.classes.join() === run.classes.join();
  const share = before ? now.moment / Math.max(before.epochs.length - 1, 1) : 1;
  now.run = run;
  now.moment = Math.round(share * (run.epochs.length - 1));
  for (const id of ["moment", "play"]) $(id).disabled = run.kept === 0;
  $("moment").max = run.epochs.length - 1;
  $("image").max = run.count - 1;
  $("unseen_classes").disabled = run.seen === run.count;
  for (const name of ["weights", "centers", "areas"]) {
    const present = name === "areas" ? run.grid : run[{ weights: "weight", centers: "centers" }[name]].at(-1);
    document.querySelector(`[data-layer=${name}]`).disabled = !present;
  }
  if (!same) {
    [both.hidden, both.cell] = [new Set(), null];
    buildClasses();
    buildConfusion();
  }
  showRegions();
  follow();
  fit(run.limit);
  refresh();
}

// A second run in the other pane, or none; its classes must be those of the first.
async function chooseBeside(number) {
  const run = number === null ? null : data.runs[number];
  if (run?.arrays) await unpack(run);
  setBeside(run);
  if (run)
    inside(panes[1], () => {
      showRegions();
      fit(run.limit);
    });
  follow();
  refresh();
}

function setBeside(run) {
  panes[1].run = run;
  panes[1].box.tabIndex = run ? 0 : -1;
  document.body.classList.toggle("two", run !== null);
  if (run === null) $("caption2").textContent = $("beside").value = "";
}

// The moment of the second pane: the end with the end, else that of the nearest epoch.
function follow() {
  const [{ run, moment }, other] = panes;
  const differs = (each) => each.classes.join() !== run.classes.join();
  for (const option of $("beside").options)
    option.disabled = option.value !== "" && differs(data.runs[option.value]);
  if (other.run && differs(other.run)) setBeside(null);
  if (!other.run) return;
  const { epochs } = other.run;
  const away = epochs.map((epoch) => Math.abs(epoch - run.epochs[moment]));
  const end = epochs.length - 1;
  other.moment = moment === run.epochs.length - 1 || end === 0 ? end : away.indexOf(Math.min(...away.slice(0, end)));
}

function showRegions() {
  const { run } = now;
  now.box.setAttribute("aria-label", `Features of ${run.group} in the plane`);
  const regions = source("areas").data;
  const Picture = regions.image[0].constructor; // Bokeh's array of two dimensions
  const image = run.grid ? new Picture(run.regions, [run.grid, run.grid]) : regions.image[0];
  source("areas").data = { image: [image], x: [-run.reach], side: [run.grid ? 2 * run.reach : 0] };
}

function buildClasses() {
  const { classes } = now.run;
  const boxes = classes.map((name, k) => {
    const box = element("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      both.hidden[box.checked ? "delete" : "add"](k);
      refresh();
    });
    const chip = element("label", {}, box, element("span", { textContent: name }));
    chip.style.setProperty("--class", data.palette[k]);
    return chip;
  });
  $("classes").style.setProperty("--name", classes.some((name) => name.length > 3) ? "88px" : "44px");
  $("classes").replaceChildren(...boxes);
}

function everyClass(shown) {
  both.hidden = new Set(shown ? [] : now.run.classes.keys());
  for (const box of $("classes").querySelectorAll("input")) box.checked = shown;
  refresh();
}

function go(moment) {
  now.moment = moment;
  follow();
  $("tip").hidden = true;
  refresh();
}

function play() {
  const stop = () => {
    clearInterval(both.playing);
    both.playing = null;
    $("play").textContent = "▶";
    $("play").setAttribute("aria-label", "Play the training");
  };
  if (both.playing) return stop();
  if (atEnd()) go(0);
  $("play").textContent = "❚❚";
  $("play").setAttribute("aria-label", "Pause");
  both.playing = setInterval(() => {
    go(now.moment + 1);
    if (atEnd()) stop();
  }, 400);
}

// ---- the view: equal units on both axes, whatever the window ----------------------------------------------------

function look(x, y, unit) {
  const [width, height] = [(plane.inner_width * unit) / 2, (plane.inner_height * unit) / 2];
  plane.x_range.setv({ start: x - width, end: x + width });
  plane.y_range.setv({ start: y - height, end: y + height });
  now.fitted = null;
}

function fit(reach) {
  look(0, 0, (2 * reach) / Math.max(1, Math.min(plane.inner_width, plane.inner_height))); // 0 while hidden
  [now.fitted, now.reach] = [plane.x_range.start, reach];
}

function fitShown() {
  let farthest = 0;
  for (const i of now.shown) farthest = Math.max(farthest, Math.abs(x(i)), Math.abs(y(i)));
  fit(Math.min(1.1 * farthest || Infinity, now.run.limit));
}

function resized() {
  if (!now.run) return;
  if (now.fitted === plane.x_range.start) fit(now.reach);
  else moved(0, 0);
}

function moved(right, up, factor = 1) {
  const { x_range: across, y_range: along } = plane;
  const wide = across.end - across.start;
  look(
    (across.start + across.end) / 2 + right * wide,
    (along.start + along.end) / 2 + up * wide,
    (factor * wide) / plane.inner_width,
  );
}

function onPlaneKey(event) {
  const steps = {
    ArrowLeft: [-0.08, 0], ArrowRight: [0.08, 0], ArrowUp: [0, 0.08], ArrowDown: [0, -0.08],
    "+": [0, 0, 0.8], "=": [0, 0, 0.8], "-": [0, 0, 1.25],
  };
  if (event.key === "0") fitShown();
  else if (steps[event.key]) moved(...steps[event.key]);
  else return;
  event.preventDefault();
}

// ---- light and dark -----------------------------------------------------------------------------------------

const system = matchMedia("(prefers-color-scheme: dark)");

function paint() {
  document.documentElement.dataset.theme = $("theme").value || (system.matches ? "dark" : "light");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const [ground, panel, ink, faint, line, ray] =
    ["--ground", "--panel", "--ink", "--faint", "--line", "--ray"].map(css);
  for (const [plot, behind] of [...panes.map(({ plot }) => [plot, ground]), [histogram, panel]]) {
    plot.setv({ border_fill_color: behind, background_fill_color: behind });
    for (const axis of [...plot.below, ...plot.left])
      axis.setv({ axis_line_color: line, major_tick_line_color: line, minor_tick_line_color: null,
        major_label_text_color: faint });
    for (const grid of plot.center) grid.grid_line_color = null;
  }
  for (const pane of panes)
    inside(pane, () => {
      layer("weights").glyph.line_color = ray;
      layer("centers").glyph.setv({ fill_color: ground, line_color: ink });
      layer("pinned").glyph.setv({ fill_color: null, line_color: ink });
      layer("names").glyph.setv({ text_align: "center", text_color: ink, background_fill_color: ground });
    });
}

async function start() {
  const embed = async (id) => {
    const view = (await Bokeh.embed.embed_item(data.plots[id], id)).roots[0];
    view.canvas_view?.events_el?.removeAttribute("tabindex"); // the labelled element around it takes the focus
    return view.model;
  };
  for (const pane of panes) pane.plot = await embed(pane.id);
  [plane, histogram] = [panes[0].plot, await embed("histogram")];
  for (const id of ["run", "beside"]) {
    const groups = new Map();
    data.runs.forEach((run, number) => {
      if (!groups.has(run.group)) groups.set(run.group, element("optgroup", { label: run.group }));
      groups.get(run.group).append(element("option", { value: number, textContent: `${run.group} · ${run.label}` }));
    });
    $(id).append(...groups.values());
  }
  $("sprite").textContent = data.sprites.map((_, number) => {
    const { uri, columns, rows, width, height, grey } = tiles(number);
    return `.sprite${number} { background-image: url(${uri}); background-size: ${columns * width}px ${rows * height}px;
      width: ${width}px; height: ${height}px; ${grey ? "" : "filter: none"} }`;
  }).join("\n");
  $("run").addEventListener("change", () => choose(Number($("run").value)));
  $("beside").disabled = data.runs.length < 2;
  $("beside").addEventListener("change", () => chooseBeside($("beside").value === "" ? null : Number($("beside").value)));
  for (const id of ["wrong", "unseen_classes"]) $(id).addEventListener("change", refresh);
  $("every").addEventListener("click", () => everyClass(true));
  $("none").addEventListener("click", () => everyClass(false));
  for (const box of document.querySelectorAll("[data-layer]")) {
    const show = () =>
      panes.forEach((pane) => inside(pane, () => (layer(box.dataset.layer).visible = box.checked)));
    box.addEventListener("change", show);
    show();
  }
  $("image").addEventListener("change", () => {
    const { value, valueAsNumber, validity } = $("image");
    pin(value !== "" && validity.valid ? valueAsNumber : null);
  });
  $("moment").addEventListener("input", () => go(Number($("moment").value)));
  $("play").addEventListener("click", play);
  for (const kind of ["click", "keydown"]) $("confusion").addEventListener(kind, onConfusion);
  document.addEventListener("keydown", (event) => event.key === "Escape" && pin(null));
  for (const pane of panes) {
    const on = (name, action) => pane.plot.on_event(name, (event) => inside(pane, () => action(event)));
    on("mousemove", onMove);
    on("mouseleave", () => ($("tip").hidden = true));
    on("tap", (event) => {
      const i = nearest(event);
      if (i === null) return;
      const image = place(i);
      inside(panes[0], () => pin(now.pinned === image ? null : image));
    });
    on("doubletap", fitShown);
    on("panstart", () => (now.dragging = true));
    on("panend", () => (now.dragging = false));
    pane.box.addEventListener("keydown", (event) => inside(pane, () => onPlaneKey(event)));
    new ResizeObserver(() => requestAnimationFrame(() => inside(pane, resized))).observe(pane.box);
  }
  for (const source of [system, $("theme")]) source.addEventListener("change", paint);
  paint();
  await choose(0);
  document.body.dataset.ready = performance.now();
}

start();
