package dev.recurrent.blocks.torch;

import ai.djl.engine.Engine;
import ai.djl.pytorch.jni.LibUtils;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Direct bindings to the C functions of libtorch's stable ABI ({@code aoti_torch/c/shim.h}).
 *
 * <p>The library is the one that DJL's engine loaded; every function returns zero on success.
 */
final class LibTorch {

    private static final Map<String, Operator> OPERATORS = new ConcurrentHashMap<>();

    static {
        Native.register(LibTorch.class, library("torch_cpu"));
    }

    private LibTorch() {}

    /** Opens one of the libraries of the engine. */
    static NativeLibrary library(String name) {
        return NativeLibrary.getInstance(file(name).toString());
    }

    /** Returns where a library of the engine lies, or would if the engine had it. */
    static Path file(String name) {
        Engine.getEngine("PyTorch");
        return Path.of(LibUtils.getLibtorchPath()).resolve(System.mapLibraryName(name));
    }

    /** An operator's name as the two C strings that the dispatcher wants. */
    record Operator(Pointer base, Pointer overload) {

        private static Operator parse(String name) {
            int dot = name.indexOf('.');
            return dot < 0
                    ? new Operator(allocate(name), allocate(""))
                    : new Operator(
                            allocate(name.substring(0, dot)), allocate(name.substring(dot + 1)));
        }
    }

    /** Returns the strings of a name; they stay allocated, since names are few and come often. */
    static Operator operator(String name) {
        return OPERATORS.computeIfAbsent(name, Operator::parse);
    }

    private static Pointer allocate(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        Pointer pointer = new Pointer(Native.malloc(bytes.length + 1L));
        pointer.write(0, bytes, 0, bytes.length);
        pointer.setByte(bytes.length, (byte) 0);
        return pointer;
    }

    static native int aoti_torch_call_dispatcher(Pointer name, Pointer overload, long[] stack);

    static native int aoti_torch_new_tensor_handle(long original, long[] copy);

    static native int aoti_torch_get_data_ptr(long tensor, long[] pointer);

    static native int aoti_torch_get_strides(long tensor, long[] strides);

    static native int aoti_torch_get_dtype(long tensor, int[] dtype);

    static native int aoti_torch_create_tensor_from_blob(
            long data,
            long dimensions,
            long[] sizes,
            long[] strides,
            long storageOffset,
            int dtype,
            int deviceType,
            int deviceIndex,
            long[] tensor);

    static native int aoti_torch_empty_strided(
            long dimensions,
            long[] sizes,
            long[] strides,
            int dtype,
            int deviceType,
            int deviceIndex,
            long[] tensor);
}
