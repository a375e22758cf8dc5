/** A grant's rules between the form and the contract. Pure. */
import { timeOfDay } from './dates';

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] as const;

export interface RulesForm {
  methods: string[];
  /** One glob a line. */
  paths: string;
  rateCount: string;
  ratePer: 's' | 'min' | 'h' | 'day';
  from: string;
  until: string;
  /** Days from now, or empty for no end. */
  days: string;
}

export const NO_RULES: RulesForm = {
  methods: [],
  paths: '',
  rateCount: '',
  ratePer: 'min',
  from: '',
  until: '',
  days: '',
};

export function fromGrant(grant: {
  methods: string[];
  paths: string[];
  rate: string | null;
  hours: string | null;
}): RulesForm {
  const rate = /^(\d+)\/(s|min|h|day)(?:our)?$/.exec(grant.rate ?? '');
  const [from = '', until = ''] = (grant.hours ?? '').split('-');
  return {
    methods: [...grant.methods],
    paths: grant.paths.join('\n'),
    rateCount: rate?.[1] ?? '',
    ratePer: (rate?.[2] as RulesForm['ratePer']) ?? 'min',
    from: timeOfDay(from) ?? '',
    until: timeOfDay(until) ?? '',
    days: '',
  };
}

/** What is wrong with the form, by field; empty when nothing is. */
export function problems(form: RulesForm): Partial<Record<'paths' | 'rate' | 'hours' | 'days', string>> {
  const found: Partial<Record<'paths' | 'rate' | 'hours' | 'days', string>> = {};
  const bad = pathList(form.paths).find((path) => !path.startsWith('/'));
  if (bad) found.paths = `“${bad}” must begin with a slash, as in /v1/**.`;
  if (form.rateCount !== '' && !/^[1-9]\d{0,6}$/.test(form.rateCount)) found.rate = 'A whole number from 1.';
  if ((form.from === '') !== (form.until === '')) found.hours = 'Give both the beginning and the end.';
  const [from, until] = [timeOfDay(form.from), timeOfDay(form.until)];
  if (form.from !== '' && form.until !== '') {
    if (from === null || until === null) found.hours = 'Write times of day, as in 09:00 or 18:30.';
    else if (from === until) found.hours = 'Beginning and end are the same.';
  }
  if (form.days !== '' && !/^[1-9]\d{0,3}$/.test(form.days)) found.days = 'A whole number of days from 1.';
  return found;
}

export function toContract(form: RulesForm): { methods: string[]; paths: string[]; rate: string; hours: string } {
  return {
    methods: [...form.methods],
    paths: pathList(form.paths),
    rate: form.rateCount === '' ? '' : `${form.rateCount}/${form.ratePer}`,
    hours: form.from === '' ? '' : `${timeOfDay(form.from)}-${timeOfDay(form.until)}`,
  };
}

function pathList(text: string): string[] {
  return text.split(/\s+/).filter((path) => path !== '');
}
