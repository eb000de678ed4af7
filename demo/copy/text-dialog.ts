// A dialog with a text that is selected and ready to be copied by hand.

export function showText(title: string, text: string): void {
  const dialog = document.createElement("dialog");
  dialog.className = "text-dialog";
  dialog.ariaLabel = title;
  const heading = document.createElement("h2");
  heading.textContent = title;
  const note = document.createElement("p");
  note.className = "quiet";
  note.textContent = "This browser does not let the page copy. The text is selected: copy it with Ctrl+C or ⌘C.";
  const field = document.createElement("textarea");
  field.readOnly = true;
  field.ariaLabel = title;
  field.value = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "primary";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.append(heading, note, field, close);
  // Escape closes the dialog and does nothing else.
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  field.focus();
  field.select();
}
