/** Which view is shown, with what opened in it: `#/agents/claude-code?tab=connect`. Must not know the engine. */
export const VIEWS = ['overview', 'credentials', 'agents', 'activity', 'services', 'settings', 'about'] as const;
export type View = (typeof VIEWS)[number];

export const TITLES: Record<View, string> = {
  overview: 'Overview',
  credentials: 'Credentials',
  agents: 'Agents and grants',
  activity: 'Activity',
  services: 'Services',
  settings: 'Settings',
  about: 'About',
};

interface Route {
  view: View;
  /** The one thing opened in the view, by name or sequence number. */
  item: string | null;
  params: Record<string, string>;
}

let route = $state.raw<Route>(parse(location.hash));
addEventListener('hashchange', () => (route = parse(location.hash)));

export const here = {
  get view() {
    return route.view;
  },
  get item() {
    return route.item;
  },
  get params() {
    return route.params;
  },
};

export function go(view: View, item: string | null = null, params: Record<string, string> = {}): void {
  const query = new URLSearchParams(params).toString();
  const hash = `#/${view}${item === null ? '' : `/${encodeURIComponent(item)}`}${query ? `?${query}` : ''}`;
  if (location.hash === hash) return;
  location.hash = hash;
  route = { view, item, params };
}

export function isView(name: string): name is View {
  return (VIEWS as readonly string[]).includes(name);
}

function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [view = '', item] = path.split('/');
  return {
    view: isView(view) ? view : 'overview',
    item: item ? decoded(item) : null,
    params: Object.fromEntries(new URLSearchParams(query)),
  };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
