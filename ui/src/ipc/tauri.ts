/** The real bridge: four commands and two events. The only file that knows Tauri. */
import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import type { Tag } from './generated/Tag';
import type { Transport } from './transport';

export const tauri: Transport = {
  call: (verb, name, params) => invoke(verb, { name, params }),
  onChanged: (heard) => void listen<{ tags: Tag[] }>('claviger://changed', ({ payload }) => heard(payload.tags)),
  onNavigate: (heard) => void listen<{ view: string }>('claviger://navigate', ({ payload }) => heard(payload.view)),
  copySecret: (text) => invoke('copy', { text }),
};
