/** The present, once a second, so that "12 s ago" stays true. */
let now = $state(Date.now());
setInterval(() => (now = Date.now()), 1000);

export const clock = {
  get now() {
    return now;
  },
};
