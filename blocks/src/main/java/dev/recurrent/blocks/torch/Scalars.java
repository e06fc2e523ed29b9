package dev.recurrent.blocks.torch;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Constants as tensors of no dimensions, made once.
 *
 * <p>{@code x.mul(0.5f)} builds a tensor on {@code x}'s device at each call. A CPU tensor of no
 * dimensions serves operands on any device (PyTorch passes its value with the kernel) and of any
 * floating type (it does not promote).
 */
public final class Scalars {

    private static final NDManager MANAGER =
            Engine.getEngine("PyTorch").newBaseManager(Device.cpu());
    private static final Map<Double, NDArray> CONSTANTS = new ConcurrentHashMap<>();
    private static final Map<Long, NDArray> INTEGERS = new ConcurrentHashMap<>();

    private Scalars() {}

    /**
     * Returns a constant. It must not be closed, changed or used as the first operand (results
     * belong to the first operand's manager, and this one lives as long as the process).
     *
     * @param value the value
     * @return a float32 tensor of shape ()
     */
    public static NDArray of(double value) {
        return CONSTANTS.computeIfAbsent(value, Scalars::create);
    }

    /**
     * Returns a constant for int64 operands, with the same provisos.
     *
     * @param value the value
     * @return an int64 tensor of shape ()
     */
    public static NDArray ofLong(long value) {
        return INTEGERS.computeIfAbsent(value, v -> free(MANAGER.create((long) v)));
    }

    /**
     * Makes a value that comes once, such as a learning rate.
     *
     * @param value the value
     * @return a float32 tensor of shape (), to be closed and not to be used as the first operand
     */
    public static NDArray once(double value) {
        return create(value);
    }

    private static NDArray create(double value) {
        return free(MANAGER.create((float) value));
    }

    private static NDArray free(NDArray array) {
        NDScope.unregister(array);
        return array;
    }
}
