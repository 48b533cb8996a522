let show = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Tells the user something that is not data: on standard error, or above the prompt while there is one. */
export function note(text: string): void {
  show(text);
}

/** Sends notes elsewhere. @returns what sends them back. */
export function redirectNotes(to: (text: string) => void): () => void {
  const before = show;
  show = to;
  return () => {
    show = before;
  };
}
