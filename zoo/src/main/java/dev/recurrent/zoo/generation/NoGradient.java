package dev.recurrent.zoo.generation;

import ai.djl.pytorch.jni.JniUtils;
import java.util.function.Supplier;

/**
 * Runs something without recording gradients on the current thread. The mode belongs to the thread
 * and is on wherever the engine was not initialised; with it on, a state would drag the graph of
 * all tokens before it along.
 */
final class NoGradient {

    private NoGradient() {}

    static <T> T call(Supplier<T> work) {
        boolean before = JniUtils.isGradMode();
        JniUtils.setGradMode(false);
        try {
            return work.get();
        } finally {
            JniUtils.setGradMode(before);
        }
    }
}
