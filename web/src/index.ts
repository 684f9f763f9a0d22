import { element } from './room';

element<HTMLFormElement>('open').addEventListener('submit', (event) => {
  event.preventDefault();
  const code = element<HTMLInputElement>('code').value.trim();
  const page = (event.submitter as HTMLButtonElement | null)?.value === 'studio' ? 'studio' : 'watch';
  location.assign(`/${page}/${encodeURIComponent(code)}`);
});
