package dev.recurrent.blocks.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.jni.JniUtils;
import java.util.function.Supplier;

/**
 * Switches autograd's recording on the current thread. The mode belongs to the thread and is on
 * wherever the engine was not initialised; with it on, a state would drag the graph of all tokens
 * before it along.
 */
public final class GradientMode {

    private GradientMode() {}

    /**
     * Returns whether autograd records, on this thread, what happens to tensors.
     *
     * @param arrays what an operator is given; null stands for no tensor
     * @return whether gradients would flow through the operator into one of them
     */
    public static boolean records(NDArray... arrays) {
        if (!JniUtils.isGradMode()) {
            return false;
        }
        for (NDArray array : arrays) {
            if (array != null && Torch.isDifferentiable(array)) {
                return true;
            }
        }
        return false;
    }

    /** Runs something without recording. */
    public static <T> T off(Supplier<T> work) {
        return with(false, work);
    }

    /** Runs something with recording. */
    public static <T> T on(Supplier<T> work) {
        return with(true, work);
    }

    private static <T> T with(boolean mode, Supplier<T> work) {
        boolean before = JniUtils.isGradMode();
        JniUtils.setGradMode(mode);
        try {
            return work.get();
        } finally {
            JniUtils.setGradMode(before);
        }
    }
}
