/** What the page's address asks for. Whatever else recruiters add to it, such as PROLIFIC_PID, nobody
 * reads; that and MTurk's names of workers are taken out of it at once, before anything is loaded. */

const STAYS = ["slot", "new"];
const NEEDED = ["assignmentId", "turkSubmitTo"];

/** As the page was opened; of other names nothing is kept. */
export const asked = new URLSearchParams();

const address = new URL(location.href);
for (const [name, value] of new URLSearchParams(location.search)) {
  if (STAYS.includes(name) || NEEDED.includes(name)) asked.set(name, value);
  if (!STAYS.includes(name)) address.searchParams.delete(name);
}
history.replaceState(null, "", address);

/** Open the page again, as it was asked for. */
export function reload() {
  const again = new URL(location.href);
  for (const name of NEEDED) {
    const value = asked.get(name);
    if (value !== null) again.searchParams.set(name, value);
  }
  if (again.href === location.href) location.reload();
  else location.replace(again);
}
