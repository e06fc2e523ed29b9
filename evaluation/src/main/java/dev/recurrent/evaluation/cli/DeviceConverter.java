package dev.recurrent.evaluation.cli;

import ai.djl.Device;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** {@code cpu}, {@code gpu}, {@code gpu0}, {@code cuda:1} … */
final class DeviceConverter implements ITypeConverter<Device> {

    @Override
    public Device convert(String value) {
        if (value.equals("cpu")) {
            return Device.cpu();
        }
        if (value.matches("(gpu|cuda)(:?\\d+)?")) {
            String index = value.replaceAll("\\D", "");
            return index.isEmpty() ? Device.gpu() : Device.gpu(Integer.parseInt(index));
        }
        throw new TypeConversionException("'" + value + "' is not cpu, gpu or gpu0, gpu1 …");
    }
}
