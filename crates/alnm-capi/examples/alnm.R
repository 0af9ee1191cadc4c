# Radiomics from R. Build first, with the folder of libalnm_capi.so as LIBRARIES:
#   PKG_CPPFLAGS="-I../include" PKG_LIBS="-LLIBRARIES -lalnm_capi -Wl,-rpath,LIBRARIES" R CMD SHLIB alnm_r.c
#   Rscript alnm.R alnm_r.so
dyn.load(commandArgs(trailingOnly = TRUE)[1])

features <- function(image, mask, spacing, label = 1L, parameters = NULL) {
    storage.mode(image) <- storage.mode(mask) <- "double"
    .Call("alnm_r_extract", image, mask, as.double(spacing), as.integer(label), parameters)
}

# A ball of radius 9 voxels, in tissue whose brightness rises along x.
index <- expand.grid(x = 0:31, y = 0:31, z = 0:23)
inside <- with(index, (x - 16)^2 + (y - 16)^2 + (z - 12)^2 < 81)
size <- c(32, 32, 24)
image <- array(with(index, ifelse(inside, 200, 100) + 2 * x + (7 * x + 5 * y + 3 * z) %% 11), size)
values <- features(image, array(inside, size), c(1, 1, 1.5), parameters = "{setting: {binWidth: 10}}")
cat(sprintf("%s %a\n", names(values), values), sep = "")
