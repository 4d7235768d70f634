// Raises the library's timeout of one second, which is too short for a busy machine.
import { configure } from '@testing-library/svelte';

configure({ asyncUtilTimeout: 20_000 });
