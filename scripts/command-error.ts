// An error whose message is all that a person at the terminal needs: what happened and what to try, in one line.
export class CommandError extends Error {
  override readonly name = "CommandError";
}
