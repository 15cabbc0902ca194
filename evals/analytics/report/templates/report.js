// The sample browser: shows one problem at a time, of those that fit the search and the filter. Without this script the page shows all.
"use strict";
(() => {
  const browser = document.querySelector("[data-browser]");
  if (!browser) return;
  const puzzles = [...browser.querySelectorAll("[data-puzzle]")];
  const part = (name) => browser.querySelector(`[data-${name}]`);
  const [choice, filter, search, count] = ["choice", "filter", "search", "count"].map(part);
  const options = [...choice.options];
  const texts = puzzles.map((puzzle) => puzzle.textContent.toLowerCase());
  let fitting = puzzles.map((_, index) => index);
  let at = 0;
  const show = (place) => {
    at = fitting.length ? (place + fitting.length) % fitting.length : -1;
    puzzles.forEach((puzzle, index) => { puzzle.hidden = index !== fitting[at]; });
    choice.selectedIndex = at;
    count.textContent = fitting.length ? `${at + 1} of ${fitting.length}` : "no problem fits";
  };
  const select = () => {
    const [kind, value] = filter.value.split(":");
    const words = search.value.toLowerCase();
    const fits = (puzzle, index) =>
      texts[index].includes(words) &&
      (!kind || (kind === "story" ? puzzle.dataset.story === value : puzzle.dataset.outcomes.split(" ").includes(value)));
    fitting = puzzles.map((_, index) => index).filter((index) => fits(puzzles[index], index));
    choice.replaceChildren(...fitting.map((index) => options[index]));
    show(0);
  };
  choice.addEventListener("change", () => show(choice.selectedIndex));
  filter.addEventListener("change", select);
  search.addEventListener("input", select);
  part("previous").addEventListener("click", () => show(at - 1));
  part("next").addEventListener("click", () => show(at + 1));
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || ["INPUT", "SELECT"].includes(event.target.tagName)) return;
    if (event.key === "ArrowLeft") show(at - 1);
    else if (event.key === "ArrowRight") show(at + 1);
    else if (event.key === "/") { search.focus(); event.preventDefault(); }
  });
  part("chooser").hidden = false;
  show(0);
})();
