import { describe } from 'vitest'
import { describeTestsThatAreAlone } from './alone.js'

describe('file 4', () => describeTestsThatAreAlone(4))
