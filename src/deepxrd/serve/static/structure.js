// One structure: its unit cell in three dimensions by 3Dmol.js, its strongest lines, its CIF.

import { byId, fillTable, make, number, save } from "./common.js";

let viewer = null;
let cif = "";
let name = "structure";

/** Show a structure; where the browser has no WebGL, say so, and show all the rest. */
export function showStructure(title, structure, file) {
  byId("structure").hidden = false;
  byId("structure-title").replaceChildren(...title);
  cif = structure.cif;
  name = file;
  fillTable(byId("structure-lines"), "Strongest lines", [...["2θ (°)", "Intensity", "d (Å)"].map((text) => number(text, "th")), "h k l"],
    [...structure.lines].sort((a, b) => b[1] - a[1]).slice(0, 30).sort((a, b) => a[0] - b[0])
      .map(([angle, intensity, d, hkl]) => [number(angle.toFixed(3)), number(intensity.toFixed(1)), number(d.toFixed(4)), hkl]));
  try {
    viewer ??= $3Dmol.createViewer(byId("viewer"), { backgroundColor: "white" });
    viewer.clear();
    const model = viewer.addModel(structure.cell_view, "cif");
    keepBondsToAnions(model.selectedAtoms({}));
    nameAtoms(model.selectedAtoms({}));
    if (structure.n_not_drawn) byId("atoms").append(make("span", {}, `${structure.n_not_drawn} further atoms are not drawn`));
    viewer.setStyle({}, { sphere: { scale: 0.28, colorscheme: "Jmol" }, stick: { radius: 0.09, colorscheme: "Jmol" } });
    viewer.addUnitCell(model);
    viewer.zoomTo();
    viewer.rotate(15, "x");
    viewer.rotate(20, "y");
    viewer.render();
  } catch (error) {
    console.warn(error);
    byId("viewer").replaceChildren(make("p", {}, "This browser cannot draw in three dimensions (WebGL); the CIF below holds the structure."));
    viewer = null;
  }
}

/** Which colour is which element. */
function nameAtoms(atoms) {
  const colours = $3Dmol.elementColors.Jmol;
  byId("atoms").replaceChildren(...[...new Set(atoms.map(({ elem }) => elem))].map((symbol) => {
    const mark = make("span", { "aria-hidden": "true" });
    mark.style.background = `#${(colours[symbol] ?? colours.C).toString(16).padStart(6, "0")}`;
    return make("span", { class: "atom" }, mark, symbol);
  }));
}

/** 3Dmol.js joins all that is near, two metals too; where there are anions, bonds are drawn to them alone. */
function keepBondsToAnions(atoms) {
  const anions = new Set(["N", "O", "F", "S", "Cl", "Se", "Br", "Te", "I"]);
  if (!atoms.some((atom) => anions.has(atom.elem))) return;
  for (const atom of atoms) {
    const kept = atom.bonds.map((other) => anions.has(atom.elem) !== anions.has(atoms[other]?.elem));
    atom.bondOrder = atom.bondOrder.filter((_, i) => kept[i]);
    atom.bonds = atom.bonds.filter((_, i) => kept[i]);
  }
}

export function startStructure() {
  byId("structure-cif").addEventListener("click", () => save(`${name}.cif`, cif, "chemical/x-cif"));
  for (const [id, angle] of [["turn-left", -15], ["turn-right", 15]]) {
    byId(id).addEventListener("click", () => viewer?.rotate(angle, "y"));
  }
}
