/** A new recovery key that waits to be kept, after the old one was used. Lives in memory alone. */
let key = $state.raw('');

export const newKey = {
  get value() {
    return key;
  },
  set value(to: string) {
    key = to;
  },
};
