// Figures open large: by a click or Enter, the next and the one before by the arrow keys, and Escape closes. Needs nothing but the page.
"use strict";
(() => {
  const images = [...document.querySelectorAll("figure img")];
  const dialog = document.createElement("dialog");
  if (!images.length || !dialog.showModal) return;
  dialog.className = "large";
  const controls = document.createElement("div");
  controls.className = "controls";
  const picture = document.createElement("img");
  let at = 0;
  const show = (place) => {
    at = (place + images.length) % images.length;
    picture.src = images[at].src;
    picture.alt = images[at].alt;
    dialog.setAttribute("aria-label", images[at].alt);
    dialog.scrollTo(0, 0);
  };
  const add = (text, label, action) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", action);
    controls.append(button);
  };
  add("←", "Figure before", () => show(at - 1));
  add("→", "Next figure", () => show(at + 1));
  add("Close", "Close", () => dialog.close());
  picture.addEventListener("click", () => dialog.close());
  dialog.append(controls, picture);
  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the page's own keys rest meanwhile
    if (event.key === "ArrowLeft") show(at - 1);
    else if (event.key === "ArrowRight") show(at + 1);
  });
  dialog.addEventListener("close", () => images[at].parentElement.focus());
  images.forEach((image, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.setAttribute("aria-label", `Enlarge: ${image.alt}`);
    image.replaceWith(button);
    button.append(image);
    button.addEventListener("click", () => {
      show(place);
      document.body.append(dialog);
      dialog.showModal();
    });
  });
})();
