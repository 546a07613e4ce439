"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);

  // Points travel as columns, which is shorter; a chart wants rows of its own.
  const rows = (columns) => {
    const names = Object.keys(columns);
    return columns.id.map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
  };

  for (const place of document.querySelectorAll("[data-figure]")) {
    const target = data[place.dataset.target];
    const spec = target.figures[place.dataset.figure];
    if ("points" in place.dataset) spec.datasets = { ...spec.datasets, points: rows(target.points) };
    window.vegaEmbed(place, spec, { renderer: "svg", actions: false }).catch((error) => {
      place.textContent = `This chart could not be drawn: ${error.message}`;
      throw error;
    });
  }

  const key = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number"
      ? (Number.isNaN(a) ? Infinity : a) - (Number.isNaN(b) ? Infinity : b) || 0
      : String(a).localeCompare(String(b), undefined, { numeric: true });

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sorted = [...table.tBodies[0].rows].sort(
          (a, b) => compare(key(a, column), key(b, column)) * (down ? -1 : 1),
        );
        table.tBodies[0].append(...sorted);
      });
    });
  }
})();
