package dev.recurrent.blocks.torch;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * Calls ATen operators by name through PyTorch's dispatcher, so that autograd records them.
 *
 * <p>Arguments are given in the operator's schema order, every one of them, as Java values:
 *
 * <ul>
 *   <li>{@link NDArray} for {@code Tensor}
 *   <li>{@link Integer} or {@link Long} for {@code int} and {@code SymInt}
 *   <li>{@link Double} for {@code float}
 *   <li>{@link Boolean} for {@code bool}
 *   <li>{@link ScalarType} for {@code ScalarType}
 *   <li>{@code null} for an absent optional, {@link #some} for a present one
 * </ul>
 *
 * Operators with {@code Scalar}, {@code str} or list arguments cannot be called this way in the
 * libtorch that DJL 0.35.1 ships: choose operators without them.
 */
public final class Torch {

    static final int CPU = 0;
    private static final int CUDA = 1;

    private Torch() {}

    /** A present optional argument. */
    private record Some(Object value) {}

    /**
     * Marks an argument as a present value of an optional parameter.
     *
     * @param value the value, or null for an absent one
     * @return the argument to pass
     */
    public static Object some(Object value) {
        return value == null ? null : new Some(value);
    }

    /**
     * Calls an operator that returns one tensor.
     *
     * @param manager the manager that will own the result
     * @param operator the qualified name, with its overload if it is not the default one, such as
     *     {@code aten::linear} or {@code aten::to.dtype}
     * @param arguments all arguments in schema order
     * @return the result
     * @throws TorchException if libtorch refuses the call
     */
    public static NDArray call(NDManager manager, String operator, Object... arguments) {
        return callAll(manager, operator, 1, arguments)[0];
    }

    /**
     * Calls an operator that returns several tensors.
     *
     * @param manager the manager that will own the results
     * @param operator as in {@link #call}
     * @param results how many tensors the operator returns
     * @param arguments all arguments in schema order
     * @return the results
     * @throws TorchException if libtorch refuses the call
     */
    public static NDArray[] callAll(
            NDManager manager, String operator, int results, Object... arguments) {
        long[] stack = dispatch(operator, results, arguments);
        NDArray[] tensors = new NDArray[results];
        for (int i = 0; i < results; i++) {
            tensors[i] = wrap(manager, stack[i]);
        }
        return tensors;
    }

    private static long[] dispatch(String operator, int results, Object... arguments) {
        long[] stack = new long[Math.max(arguments.length, results)];
        for (int i = 0; i < arguments.length; i++) {
            stack[i] = encode(arguments[i]);
        }
        LibTorch.Operator name = LibTorch.operator(operator);
        if (LibTorch.aoti_torch_call_dispatcher(name.base(), name.overload(), stack) != 0) {
            throw new TorchException(describe(operator, arguments) + " failed");
        }
        return stack;
    }

    /**
     * Returns whether gradients flow into a tensor: it is a variable, or was computed from one.
     * {@link NDArray#hasGradient} tells of variables only.
     */
    public static boolean isDifferentiable(NDArray array) {
        // Only the lowest byte of a bool on the stack is written.
        boolean leaf = (byte) dispatch("aten::is_leaf", 1, array)[0] != 0;
        return array.hasGradient() || !leaf;
    }

    /**
     * Converts to another element type, recorded by autograd.
     *
     * @param array any tensor
     * @param type the wanted type
     * @return the same tensor if it has that type, else a converted copy in its manager
     * @throws TorchException if libtorch refuses the call
     */
    public static NDArray cast(NDArray array, ScalarType type) {
        return cast(array.getManager(), array, type);
    }

    /** As {@link #cast(NDArray, ScalarType)}, a converted copy owned by {@code manager}. */
    public static NDArray cast(NDManager manager, NDArray array, ScalarType type) {
        if (typeOf(array) == type) {
            return array;
        }
        // to.dtype(Tensor self, ScalarType dtype, bool non_blocking, bool copy, MemoryFormat?)
        return call(manager, "aten::to.dtype", array, type, false, false, null);
    }

    /**
     * Makes another owner of the same tensor, gradient and graph included: the tensor lives until
     * both are closed.
     *
     * @param manager the manager that will own the result
     * @param array any tensor
     * @return the same tensor
     */
    public static NDArray share(NDManager manager, NDArray array) {
        return wrap(manager, encode(array));
    }

    /**
     * Returns the same values without their graph, in the same memory.
     *
     * @param manager the manager that will own the result
     * @param array any tensor
     * @return a tensor that requires no gradient
     */
    public static NDArray detach(NDManager manager, NDArray array) {
        return call(manager, "aten::detach", array);
    }

    /**
     * Returns the element type of a tensor, also where {@link NDArray#getDataType} does not know
     * it.
     *
     * @param array any tensor
     * @return its element type
     * @throws TorchException if the type has no name here
     */
    public static ScalarType typeOf(NDArray array) {
        int[] dtype = new int[1];
        check(LibTorch.aoti_torch_get_dtype(handle(array), dtype), "aoti_torch_get_dtype");
        return ScalarType.of(dtype[0]);
    }

    /**
     * Creates a tensor with undefined contents.
     *
     * @param manager the manager that will own it
     * @param shape its shape
     * @param type its element type
     * @param device CPU or a CUDA device
     * @return the tensor
     * @throws TorchException if the memory cannot be had
     */
    public static NDArray empty(NDManager manager, Shape shape, ScalarType type, Device device) {
        long[] sizes = shape.getShape();
        long[] tensor = new long[1];
        int status =
                LibTorch.aoti_torch_empty_strided(
                        sizes.length,
                        sizes,
                        rowMajorStrides(sizes),
                        type.code(),
                        device.isGpu() ? CUDA : CPU,
                        device.isGpu() ? device.getDeviceId() : 0,
                        tensor);
        if (status != 0) {
            throw new TorchException(
                    "Cannot allocate " + type + shape + " on " + device + ": out of memory?");
        }
        return wrap(manager, tensor[0]);
    }

    /**
     * Copies {@code source} into {@code target} in place, converting type and device.
     *
     * @param target the tensor to overwrite
     * @param source a tensor of a shape that broadcasts to the target's
     * @throws TorchException if libtorch refuses the call
     */
    public static void copyInto(NDArray target, NDArray source) {
        call(target.getManager(), "aten::copy_", target, source, false).close();
    }

    /**
     * Returns where a library of PyTorch's lies, or would if this PyTorch had it.
     *
     * @param name such as {@code torch_cuda}
     * @return its file
     */
    public static Path library(String name) {
        return LibTorch.file(name);
    }

    static NDArray wrap(NDManager manager, long handle) {
        return new PtNDArray((PtNDManager) manager, handle);
    }

    static long handle(NDArray array) {
        return ((PtNDArray) array).getHandle();
    }

    private static long encode(Object argument) {
        if (argument == null) {
            return 0;
        } else if (argument instanceof NDArray array) {
            long[] copy = new long[1];
            check(
                    LibTorch.aoti_torch_new_tensor_handle(handle(array), copy),
                    "aoti_torch_new_tensor_handle");
            return copy[0];
        } else if (argument instanceof Integer || argument instanceof Long) {
            return ((Number) argument).longValue();
        } else if (argument instanceof Double number) {
            return Double.doubleToRawLongBits(number);
        } else if (argument instanceof Boolean flag) {
            return flag ? 1 : 0;
        } else if (argument instanceof ScalarType type) {
            return type.code();
        } else if (argument instanceof Some some) {
            // The callee frees this cell.
            long cell = Native.malloc(Long.BYTES);
            new Pointer(cell).setLong(0, encode(some.value()));
            return cell;
        }
        throw new IllegalArgumentException(
                "An ATen argument cannot be a " + argument.getClass().getName());
    }

    static long[] rowMajorStrides(long[] sizes) {
        long[] strides = new long[sizes.length];
        long stride = 1;
        for (int i = sizes.length - 1; i >= 0; i--) {
            strides[i] = stride;
            stride *= Math.max(1, sizes[i]);
        }
        return strides;
    }

    static void check(int status, String function) {
        if (status != 0) {
            throw new TorchException(function + " failed");
        }
    }

    private static String describe(String operator, Object... arguments) {
        return Arrays.stream(arguments)
                .map(Torch::describe)
                .collect(Collectors.joining(", ", operator + "(", ")"));
    }

    private static String describe(Object argument) {
        if (argument instanceof NDArray array) {
            return typeOf(array) + array.getShape().toString() + "@" + array.getDevice();
        } else if (argument instanceof Some some) {
            return describe(some.value());
        }
        return String.valueOf(argument);
    }
}
