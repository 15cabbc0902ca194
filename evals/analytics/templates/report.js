// The sample browser: shows one problem at a time. Without this script the page shows them all.
"use strict";
(() => {
  const browser = document.querySelector("[data-browser]");
  if (!browser) return;
  const puzzles = [...browser.querySelectorAll("[data-puzzle]")];
  const choice = browser.querySelector("select");
  const show = (index) => {
    const wrapped = (index + puzzles.length) % puzzles.length;
    puzzles.forEach((puzzle, at) => { puzzle.hidden = at !== wrapped; });
    choice.selectedIndex = wrapped;
  };
  choice.addEventListener("change", () => show(choice.selectedIndex));
  browser.querySelector("[data-previous]").addEventListener("click", () => show(choice.selectedIndex - 1));
  browser.querySelector("[data-next]").addEventListener("click", () => show(choice.selectedIndex + 1));
  browser.querySelector("[data-chooser]").hidden = false;
  show(0);
})();
