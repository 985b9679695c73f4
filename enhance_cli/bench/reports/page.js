"use strict";
// Lays the two pictures of each comparison over each other, with a slider that moves the border between them.
for (const box of document.querySelectorAll(".compare")) {
  const [before, after] = [...box.querySelectorAll("figcaption")].map((caption) => caption.textContent);
  const slider = document.createElement("input");
  slider.type = "range";
  slider.value = 50;
  slider.setAttribute("aria-label", `Border between ${before} on the left and ${after} on the right`);
  const move = () => {
    box.style.setProperty("--cut", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} % ${before}`);
  };
  slider.addEventListener("input", move);
  box.append(slider);
  box.classList.add("live");
  move();
}
