package dev.recurrent.blocks.cuda;

import ai.djl.util.Utils;
import dev.recurrent.blocks.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Compiles sources for one kind of device, or takes from disk what was compiled before: in {@value
 * #FOLDER_PROPERTY}, else in DJL's cache folder.
 */
public final class KernelCompiler {

    /** The system property that names the folder of compiled kernels. */
    public static final String FOLDER_PROPERTY = "dev.recurrent.cuda.cache";

    private final Nvrtc nvrtc;
    private final CubinCache cache;
    private final int capability;
    private final String driver;

    /**
     * Constructs a compiler.
     *
     * @param cache where code is kept
     * @param capability the device's compute capability, 90 for 9.0
     * @param driver the driver's version, since it decides what it can load
     * @throws CudaException if there is no NVRTC, or it does not know the capability
     */
    public KernelCompiler(CubinCache cache, int capability, String driver) {
        this.cache = cache;
        this.capability = capability;
        this.driver = driver;
        nvrtc = Nvrtc.load(Torch.library("torch_cuda"));
        if (!nvrtc.architectures().contains(capability)) {
            throw new CudaException(
                    "NVRTC "
                            + nvrtc.version()
                            + " makes code for "
                            + nvrtc.architectures()
                            + " but not for compute capability "
                            + capability);
        }
    }

    /** Returns the cache of this process's user. */
    public static CubinCache defaultCache() {
        String folder = System.getProperty(FOLDER_PROPERTY);
        return new CubinCache(
                folder == null
                        ? Utils.getCacheDir().resolve("dev.recurrent").resolve("cubin")
                        : Path.of(folder));
    }

    /**
     * Returns the machine code of a source.
     *
     * @param source the source
     * @param constants what it is specialised on
     * @return a cubin
     * @throws CudaException with the compiler's log if the source is refused
     */
    public byte[] compile(KernelSource source, Constants constants) {
        List<String> options = new ArrayList<>();
        options.add("--gpu-architecture=sm_" + capability);
        options.add("--std=c++17");
        options.addAll(constants.options());
        List<String> key = new ArrayList<>(options);
        key.add(source.text());
        key.add("nvrtc " + nvrtc.version());
        key.add("driver " + driver);
        return cache.get(key, () -> nvrtc.compile(source, options));
    }
}
