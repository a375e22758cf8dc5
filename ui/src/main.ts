/** Chooses the transport and mounts the window. */
import { mount } from 'svelte';
import './styles/index.css';
import { connect } from './ipc';

async function start(): Promise<void> {
  // Both are constants of the build: the product's has no trace of the fake.
  const fake = import.meta.env.MODE === 'fake' || (import.meta.env.DEV && !('__TAURI_INTERNALS__' in window));
  if (fake) {
    const { fakeEngine } = await import('./ipc/fake');
    connect(fakeEngine(location.search));
  } else {
    const { tauri } = await import('./ipc/tauri');
    connect(tauri);
  }
  const target = document.getElementById('app');
  const { default: App } = await import('./App.svelte');
  if (target) mount(App, { target });
}

start().catch((thrown: unknown) => {
  // Nothing of the window could be drawn, so this is said without it.
  const words = document.createElement('pre');
  words.textContent = `Claviger’s window could not start.\n\n${thrown instanceof Error ? `${thrown.message}\n${thrown.stack ?? ''}` : 'Unknown reason.'}`;
  document.getElementById('app')?.replaceChildren(words);
});
