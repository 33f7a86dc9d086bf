/** The switch between dark, light, and what the system says. */

import { element } from "./elements.js";

/** @returns {HTMLElement} */
export function themeSwitch() {
  const themes = ["system", "light", "dark"];
  const picker = element("select", { "aria-label": "Colours", onchange: () => {
    const theme = themes[picker.selectedIndex];
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  } }, ...themes.map((theme) => element("option", {}, theme)));
  return element("label", { class: "theme" }, "Colours ", picker);
}
