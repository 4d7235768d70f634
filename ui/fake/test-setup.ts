// Before each file of tests: what is awaited may take longer than the library's one second on a busy machine.
import { configure } from '@testing-library/svelte';

configure({ asyncUtilTimeout: 20_000 });
