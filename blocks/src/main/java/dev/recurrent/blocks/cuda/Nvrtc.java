package dev.recurrent.blocks.cuda;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import com.sun.jna.StringArray;
import java.io.File;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** Direct bindings to CUDA's run-time compiler ({@code nvrtc.h}). */
final class Nvrtc {

    /** Folders that the system looks in, and where CUDA is installed by itself. */
    private static final String SEARCH_PATH =
            String.join(
                    File.pathSeparator,
                    System.getProperty("jna.library.path", ""),
                    System.getProperty("java.library.path", ""),
                    "/usr/local/cuda/lib64",
                    "/usr/lib/x86_64-linux-gnu",
                    "/usr/lib/aarch64-linux-gnu",
                    "/usr/lib64");

    private static Nvrtc loaded;

    private final String version;
    private final List<Integer> architectures;

    private Nvrtc() {
        int[] major = new int[1];
        int[] minor = new int[1];
        check(nvrtcVersion(major, minor), "nvrtcVersion");
        version = major[0] + "." + minor[0];
        int[] count = new int[1];
        check(nvrtcGetNumSupportedArchs(count), "nvrtcGetNumSupportedArchs");
        int[] supported = new int[count[0]];
        check(nvrtcGetSupportedArchs(supported), "nvrtcGetSupportedArchs");
        architectures = Arrays.stream(supported).boxed().toList();
    }

    /**
     * Loads the library at the first call.
     *
     * @param torch a library of PyTorch's, beside which NVRTC is looked for first
     * @return the compiler
     * @throws CudaException if there is none that can be loaded
     */
    static synchronized Nvrtc load(Path torch) {
        if (loaded == null) {
            register(NvrtcFiles.find(torch, SEARCH_PATH), torch);
            loaded = new Nvrtc();
        }
        return loaded;
    }

    private static void register(List<Path> files, Path torch) {
        StringBuilder tried = new StringBuilder();
        for (Path file : files) {
            try {
                NvrtcFiles.builtins(file)
                        .forEach(library -> NativeLibrary.getInstance(library.toString()));
                Native.register(Nvrtc.class, NativeLibrary.getInstance(file.toString()));
                return;
            } catch (UnsatisfiedLinkError e) {
                tried.append("; ").append(file).append(": ").append(e.getMessage());
            }
        }
        throw new CudaException(
                "NVRTC, CUDA's run-time compiler, is not to be had beside "
                        + torch
                        + " nor in "
                        + SEARCH_PATH
                        + tried);
    }

    /** Returns the version, such as 12.8. */
    String version() {
        return version;
    }

    /** Returns the compute capabilities that it makes code for, such as 90. */
    List<Integer> architectures() {
        return architectures;
    }

    /**
     * Compiles a source to machine code.
     *
     * @param source the source
     * @param options of the compiler, the architecture included
     * @return a cubin
     * @throws CudaException with the compiler's log if the source is refused
     */
    byte[] compile(KernelSource source, List<String> options) {
        long[] program = new long[1];
        check(
                nvrtcCreateProgram(program, source.text(), source.name(), 0, null, null),
                "nvrtcCreateProgram");
        try {
            Pointer strings = new StringArray(options.toArray(String[]::new));
            int status = nvrtcCompileProgram(program[0], options.size(), strings);
            Reference.reachabilityFence(strings);
            if (status != 0) {
                throw new CudaException(
                        source.name()
                                + " does not compile with "
                                + options
                                + ": "
                                + nvrtcGetErrorString(status)
                                + "\n"
                                + log(program[0]));
            }
            long[] size = new long[1];
            check(nvrtcGetCUBINSize(program[0], size), "nvrtcGetCUBINSize");
            byte[] cubin = new byte[Math.toIntExact(size[0])];
            check(nvrtcGetCUBIN(program[0], cubin), "nvrtcGetCUBIN");
            return cubin;
        } finally {
            check(nvrtcDestroyProgram(program), "nvrtcDestroyProgram");
        }
    }

    private static String log(long program) {
        long[] size = new long[1];
        check(nvrtcGetProgramLogSize(program, size), "nvrtcGetProgramLogSize");
        byte[] log = new byte[Math.toIntExact(size[0])];
        check(nvrtcGetProgramLog(program, log), "nvrtcGetProgramLog");
        return new String(log, StandardCharsets.UTF_8).replace("\0", "").strip();
    }

    private static void check(int status, String function) {
        if (status != 0) {
            throw new CudaException(function + " failed: " + nvrtcGetErrorString(status));
        }
    }

    private static native int nvrtcVersion(int[] major, int[] minor);

    private static native int nvrtcGetNumSupportedArchs(int[] count);

    private static native int nvrtcGetSupportedArchs(int[] architectures);

    private static native String nvrtcGetErrorString(int status);

    private static native int nvrtcCreateProgram(
            long[] program,
            String source,
            String name,
            int headers,
            Pointer headerTexts,
            Pointer headerNames);

    private static native int nvrtcCompileProgram(long program, int count, Pointer options);

    private static native int nvrtcGetCUBINSize(long program, long[] size);

    private static native int nvrtcGetCUBIN(long program, byte[] cubin);

    private static native int nvrtcGetProgramLogSize(long program, long[] size);

    private static native int nvrtcGetProgramLog(long program, byte[] log);

    private static native int nvrtcDestroyProgram(long[] program);
}
