package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;

/** Something to time. */
@FunctionalInterface
interface Workload {

    /**
     * Does it once.
     *
     * @param scope is closed afterwards, with what was made in it
     * @return a tensor that exists when all is done
     */
    NDArray run(NDManager scope);
}
